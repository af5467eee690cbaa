/**
 * Switches between the variants of a product in place; without it their links do the same by loading the page.
 *
 * element: the [data-product] article; feed: live levels, for the chips that are sold out; badge and form: what
 * stockBadge() and addToCart() gave, told which SKU is chosen now.
 */
export function variantPicker(element, feed, badge, form) {
  const links = [...element.querySelectorAll('[data-variant]')];
  const image = element.querySelector('.picture--main img');

  const showPrice = ({ price, was }) => {
    element.querySelector('[data-price-now]').textContent = price;
    element.querySelector('[data-price-was]').hidden = !was;
    element.querySelector('[data-price-was-amount]').textContent = was ?? '';
  };

  const showImage = ({ image: url }) => {
    if (!url || image.getAttribute('src') === url) return;
    image.hidden = false;
    image.src = url;
  };

  const choose = (link) => {
    links.forEach((each) => each.removeAttribute('aria-current'));
    link.setAttribute('aria-current', 'true');
    showPrice(link.dataset);
    showImage(link.dataset);
    badge.follow(link.dataset.sku);
    form.choose(link.dataset.sku, link.dataset.sale);
    history.replaceState(history.state, '', link.href);
  };

  const showLevel = (link, { state }) => {
    link.dataset.state = state;
    link.querySelector('[data-variant-sold-out]').hidden = state !== 'sold_out';
  };

  links.forEach((link) => {
    const { sku, state, available, version, epoch } = link.dataset;
    feed.watch([sku], (level) => showLevel(link, level));
    if (available) {
      feed.offer({ sku, state, available: Number(available), version: Number(version), epoch: Number(epoch) });
    }
    link.addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      choose(link);
    });
  });
}
