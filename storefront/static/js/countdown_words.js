/** The time left as mm:ss, rounded up so that 00:00 means over. milliseconds: may be negative. */
export function countdownWords(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const pad = (number) => String(number).padStart(2, '0');
  return `${pad(Math.floor(seconds / 60))}:${pad(seconds % 60)}`;
}
