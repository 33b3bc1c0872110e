// Even moments for an axis of time, in the reader's zone: whole days, hours, minutes. The picture library starts anew with
// each month, so that the 29th and the 1st stand closer together than the others.
const [SECOND, MINUTE, HOUR, DAY] = [1e3, 6e4, 36e5, 864e5];
const [MOST, EACH, ASIDE] = [7, 58, 60];
const STEPS = [
  ...[1, 5, 15, 30].map((n) => n * SECOND), ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR), ...[1, 2, 3, 7, 14, 28, 91, 182].map((n) => n * DAY),
];

const two = (n) => String(n).padStart(2, "0");

function midnight(time) {
  return new Date(time).setHours(0, 0, 0, 0);
}

// Days are counted back from today by the calendar: a day of 23 or 25 hours stays one day.
function days(from, to, count) {
  const found = [];
  for (const at = new Date(midnight(to)); at.getTime() >= from; at.setDate(at.getDate() - count)) found.unshift(at.getTime());
  return found;
}

function within(from, to, step) {
  const found = [];
  const first = midnight(from);
  for (let at = first + Math.ceil((from - first) / step) * step; at <= to; at += step) found.push(at);
  return found;
}

function writer(step, span) {
  return (value) => {
    const at = new Date(value);
    if (span > 330 * DAY) return `${at.getFullYear()}-${two(at.getMonth() + 1)}`;
    if (step >= DAY || midnight(value) === value) return `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    return `${two(at.getHours())}:${two(at.getMinutes())}${step < MINUTE ? `:${two(at.getSeconds())}` : ""}`;
  };
}

// How many moments have room below a picture of so many pixels.
export function room(width) {
  return Math.max(2, Math.min(MOST, Math.floor((width - ASIDE) / EACH)));
}

export function moments(times, width = Infinity) {
  const [from, to] = times.reduce(([least, most], time) => [Math.min(least, time), Math.max(most, time)], [Infinity, -Infinity]);
  if (!times.length) return {};
  if (from === to) return { ...moments([from - HOUR / 2, to + HOUR / 2], width), range: { min: from - HOUR / 2, max: to + HOUR / 2 } };
  const most = room(width);
  const step = STEPS.find((one) => (to - from) / one <= most) ?? Math.ceil((to - from) / most / (91 * DAY)) * 91 * DAY;
  return { labels: { customValues: step >= DAY ? days(from, to, step / DAY) : within(from, to, step), formatter: writer(step, to - from) } };
}
