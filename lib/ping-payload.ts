/** What pings send, and get back. */

/** How many bytes, unknown to others, tell our answers from theirs. */
export const TOKEN_LENGTH = 16

/** So many bytes, as many as possible of the first of them random. */
export function payloadOf(size: number): Buffer {
  const payload = Buffer.from(Array.from({ length: size }, (_, place) => place & 0xff))
  crypto.getRandomValues(payload.subarray(0, TOKEN_LENGTH))
  return payload
}
