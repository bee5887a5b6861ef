//! What comes beside data, read by the macros of cmsg(3).

use std::ffi::c_int;
use std::slice;

/// Room for what comes along, aligned as headers are.
pub(crate) type Space<const WORDS: usize> = [u64; WORDS];

/// Calls `visit` with the level, the type and the data of each control message. The data need not be aligned.
///
/// # Safety
/// The system has filled the control part of `message`, whose memory is still there.
pub(crate) unsafe fn each(message: &libc::msghdr, mut visit: impl FnMut(c_int, c_int, &[u8])) {
    // SAFETY: as above; the macros stay inside of what the system has filled.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: a header that the macros found; what follows it is of the length that it says.
        unsafe {
            let data = libc::CMSG_DATA(header);
            let length = (*header).cmsg_len as usize - (data as usize - header as usize);
            visit((*header).cmsg_level, (*header).cmsg_type, slice::from_raw_parts(data, length));
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
}

/// The number at the start of the data of a control message.
pub(crate) fn number(data: &[u8]) -> Option<c_int> {
    Some(c_int::from_ne_bytes(*data.first_chunk()?))
}
