/** A random id for one intent to hold (32 hex digits); works on plain HTTP too, where randomUUID does not exist. */
export function newClickId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
