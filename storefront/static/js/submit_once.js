/** Swallows a second submit of a form while the first is under way; a page that comes back may submit again. */
export function submitOnce(element) {
  element.addEventListener('submit', (event) => {
    if (element.hasAttribute('aria-busy')) return event.preventDefault();
    element.setAttribute('aria-busy', 'true');
  });
  addEventListener('pageshow', () => element.removeAttribute('aria-busy'));
}
