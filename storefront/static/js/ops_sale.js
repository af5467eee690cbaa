const PERIOD_MS = 2000;

/** Keeps the figures of a sale's ops page true; says when the sale came into another state, for then the buttons are old. */
function keepTrue(part) {
  const turned = document.querySelector('[data-ops-turned]');

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch(part.dataset.opsSale);
      if (!answer.ok) return;
      part.innerHTML = await answer.text();
      turned.hidden = part.querySelector('.state').dataset.state === part.dataset.state;
    } catch {
      // the shop does not answer just now; the next look may do better
    }
  }

  setInterval(refresh, PERIOD_MS);
}

document.querySelectorAll('[data-ops-sale]').forEach(keepTrue);
