// Sliders that share a whole: in a form with data-shares the ranges always sum to 100, and each <output> tells its own.
const WHOLE = 100;

export function startShares() {
  document.addEventListener("input", (event) => {
    const form = event.target.closest?.("form[data-shares]");
    if (form && event.target.type === "range") balance([...form.querySelectorAll('input[type="range"]')], event.target);
  });
}

// The others give or take in the proportion they had; the rounding goes to the largest of them.
function balance(sliders, moved) {
  const others = sliders.filter((slider) => slider !== moved);
  const rest = WHOLE - Number(moved.value);
  const before = others.map((slider) => Number(slider.value));
  const total = before.reduce((sum, share) => sum + share, 0);
  const after = before.map((share) => Math.floor(total ? (share * rest) / total : rest / (others.length || 1)));
  const largest = before.indexOf(Math.max(...before));
  if (others.length) after[largest] += rest - after.reduce((sum, share) => sum + share, 0);
  else moved.value = WHOLE;
  others.forEach((slider, at) => (slider.value = after[at]));
  for (const slider of sliders) slider.parentElement.querySelector("output").textContent = `${slider.value} %`;
}
