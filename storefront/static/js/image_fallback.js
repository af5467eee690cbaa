/**
 * Hides a product image that fails, so that the painted placeholder behind it shows and keeps its name.
 *
 * element: a [data-picture] with one image.
 */
export function imageFallback(element) {
  const image = element.querySelector('img');

  const hide = () => {
    image.hidden = true;
    if (!image.alt) return;
    element.setAttribute('role', 'img');
    element.setAttribute('aria-label', image.alt);
  };

  const show = () => {
    image.hidden = false;
    element.removeAttribute('role');
    element.removeAttribute('aria-label');
  };

  image.addEventListener('error', hide);
  image.addEventListener('load', show);
  if (image.complete && image.getAttribute('src') && image.naturalWidth === 0) hide();
}
