/** Says a time in the reader's own time zone and manner. element: a <time> with a datetime in UTC. */
export function localTime(element) {
  element.textContent = new Date(element.dateTime).toLocaleString(undefined, { dateStyle: 'full', timeStyle: 'short' });
}
