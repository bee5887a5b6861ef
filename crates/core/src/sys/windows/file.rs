//! The files of unix sockets on Windows.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{
    FileAttributeTagInfo, FileIdInfo, GetFileInformationByHandleEx, FILE_ATTRIBUTE_TAG_INFO,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_ID_INFO, FILE_INFO_BY_HANDLE_CLASS,
};
use windows_sys::Win32::System::SystemServices::IO_REPARSE_TAG_AF_UNIX;

/// What tells a file from another that takes its name: the volume, and the number that the file has there. When it was made
/// does not: within some seconds NTFS lets an heir have that of the file before ("tunneling").
#[derive(PartialEq, Eq)]
pub(crate) struct FileIdentity(u64, [u8; 16]);

/// The identity of what is at a path, links not followed.
pub(crate) fn file_identity(path: &Path) -> Option<FileIdentity> {
    // SAFETY: FileIdInfo is a FILE_ID_INFO, numbers throughout.
    let id: FILE_ID_INFO = unsafe { information(&open(path).ok()?, FileIdInfo).ok()? };
    Some(FileIdentity(id.VolumeSerialNumber, id.FileId.Identifier))
}

/// Whether there is a socket at a path. Windows keeps it as a reparse point with a tag of its own; links have others.
pub(crate) fn is_socket(path: &Path) -> bool {
    // SAFETY: FileAttributeTagInfo is a FILE_ATTRIBUTE_TAG_INFO, numbers throughout.
    let tag = |file| unsafe { information::<FILE_ATTRIBUTE_TAG_INFO>(&file, FileAttributeTagInfo) };
    open(path).and_then(tag).is_ok_and(|file| file.ReparseTag == IO_REPARSE_TAG_AF_UNIX)
}

/// Opens whatever is at a path, also a folder, links not followed, in order to ask about it.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().access_mode(0).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS).open(path)
}

/// What the system knows of a file.
///
/// # Safety
/// Any bytes must be a `T`, and the system must give a `T` for this class.
unsafe fn information<T: Default>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS) -> io::Result<T> {
    let mut value = T::default();
    // SAFETY: the handle is open while `file` is borrowed, and `value` has the length that is said.
    let done = unsafe {
        GetFileInformationByHandleEx(file.as_raw_handle(), class, (&raw mut value).cast(), size_of::<T>() as u32)
    };
    if done != 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::windows::fs::{symlink_file, FileTimesExt};
    use std::time::SystemTime;

    #[test]
    fn a_file_that_takes_the_name_of_another_is_another_though_made_at_the_same_time() {
        let folder = Folder::new("identity");
        let [path, heir] = ["first", "heir"].map(|name| folder.0.join(name));
        let made = std::fs::FileTimes::new().set_created(SystemTime::UNIX_EPOCH);
        for path in [&path, &heir] {
            File::create(path).unwrap().set_times(made).unwrap();
        }
        let identity = file_identity(&path);
        assert!(identity.is_some() && identity == file_identity(&path));
        assert!(file_identity(&folder.0).is_some());
        std::fs::rename(&heir, &path).unwrap();
        assert!(file_identity(&path).is_some_and(|heir| Some(heir) != identity));
        assert!(file_identity(&heir).is_none());
    }

    #[test]
    fn files_folders_and_links_are_no_sockets() {
        let folder = Folder::new("no-socket");
        let [file, link] = ["file", "link"].map(|name| folder.0.join(name));
        File::create(&file).unwrap();
        assert!(!is_socket(&file) && !is_socket(&folder.0) && !is_socket(&link));
        // Not everyone may make one.
        if symlink_file(&file, &link).is_ok() {
            assert!(!is_socket(&link));
        }
    }

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("socket2-core-{}-{name}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
