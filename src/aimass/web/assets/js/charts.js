// Charts: the server names a kind and gives data; this file makes them ECharts pictures in the colours of the page.
import { BarChart, CustomChart, HeatmapChart, LineChart, ParallelChart, ScatterChart } from "echarts/charts";
import {
  DataZoomInsideComponent, GridComponent, LegendComponent, MarkLineComponent, MarkPointComponent, ParallelComponent, TooltipComponent,
  VisualMapContinuousComponent,
} from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { isEmpty, kinds, tabular } from "./chart_kinds.js";
import { follow } from "./live.js";
import { room } from "./moments.js";
import { download, element, say } from "./page.js";

echarts.use([
  BarChart, CustomChart, HeatmapChart, LineChart, ParallelChart, ScatterChart, DataZoomInsideComponent, GridComponent, LegendComponent,
  MarkLineComponent, MarkPointComponent, ParallelComponent, TooltipComponent, VisualMapContinuousComponent, CanvasRenderer,
]);

const NAMES = ["fg", "fg2", "fg3", "line", "line2", "surface", "raised", "accent", "accent-bg", "ok", "warn", "bad", "info", "mute-bg", "ok-fill", "warn-fill", "bad-fill", "c1", "c2", "c3", "c4", "c5", "c-rest"];
const charts = new Map();
let palette;

// Resolves the colours of the page; canvas knows no CSS variables.
function colours() {
  const probe = element("span");
  document.body.append(probe);
  const found = {};
  for (const name of NAMES) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return { ...found, series: [1, 2, 3, 4, 5].map((n) => found[`c${n}`]), font: getComputedStyle(document.body).fontFamily };
}

function draw(place) {
  const chart = charts.get(place);
  palette ??= colours();
  place.querySelector(".skeleton")?.remove();
  place.querySelector(".chart-empty")?.remove();
  if (isEmpty(chart.kind, chart.data)) {
    chart.picture?.dispose();
    chart.picture = undefined;
    place.append(element("div", { class: "chart-empty" }, say("No data")));
    return;
  }
  if (!chart.picture) {
    place.querySelector(".canvas")?.remove();
    chart.canvas = element("div", { class: "canvas", role: "img" });
    place.append(chart.canvas);
    chart.picture = echarts.init(chart.canvas, null, { renderer: "canvas" });
  }
  const { option, summary } = kinds[chart.kind](chart.data, palette, place.clientWidth);
  chart.room = room(place.clientWidth);
  if (chart.still) option.animation = false;
  chart.canvas.setAttribute("aria-label", `${place.dataset.title}. ${summary ?? ""}`.trim());
  chart.picture.setOption({ ...frame(palette), ...option }, { notMerge: true });
}

function frame(colour) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  return {
    animation: !still,
    animationDuration: 150,
    textStyle: { fontFamily: colour.font, fontSize: 12, color: colour.fg2 },
  };
}

const inView = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) {
      inView.unobserve(target);
      draw(target);
    }
  }
}, { rootMargin: "200px" });

const sized = new ResizeObserver((entries) => entries.forEach(({ target }) => {
  const chart = charts.get(target);
  chart?.picture?.resize();
  if (chart?.picture && chart.room !== room(target.clientWidth)) draw(target);
}));

function redrawAll() {
  palette = colours();
  for (const [place, chart] of charts) {
    if (!place.isConnected) {
      chart.picture?.dispose();
      charts.delete(place);
    } else if (chart.picture) draw(place);
  }
}

new MutationObserver(redrawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);

document.addEventListener("click", (event) => {
  const wish = event.target.closest("[data-chart-do]");
  const place = wish?.closest(".card")?.querySelector(".chart");
  if (place) obey(wish, place);
});

function obey(wish, place) {
  const chart = charts.get(place);
  const name = place.dataset.title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
  const deed = wish.dataset.chartDo;
  if (deed === "table") toggleTable(wish, place, chart);
  if (deed === "csv") download(`${name}.csv`, new Blob([csv(tabular(chart.kind, chart.data))], { type: "text/csv" }));
  if (deed === "png" && chart.picture) {
    const address = chart.picture.getDataURL({ pixelRatio: 2, backgroundColor: palette.surface });
    element("a", { href: address, download: `${name}.png` }).click();
  }
}

function csv({ columns, rows }) {
  const cell = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\n");
}

function toggleTable(wish, place, chart) {
  const old = place.querySelector(".chart-table");
  wish.lastChild.textContent = say(old ? "As table" : "As chart");
  if (old) {
    old.remove();
    chart.canvas.hidden = false;
    return;
  }
  const { columns, rows } = tabular(chart.kind, chart.data);
  const head = element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name)));
  const body = rows.map((row) => element("tr", {}, ...row.map((value) => element("td", {}, String(value)))));
  const table = element("table", { class: "table" }, element("thead", {}, head), element("tbody", {}, ...body));
  if (chart.canvas) chart.canvas.hidden = true;
  place.append(element("div", { class: "chart-table", tabindex: "0", role: "region", "aria-label": place.dataset.title }, table));
}

// Appends what the live channel brings: {step, metrics: {series name: value}}.
document.addEventListener("live", ({ detail: { topic, data } }) => {
  for (const [place, chart] of charts) {
    if (place.dataset.liveChart !== topic || !data?.metrics || !chart.data.series) continue;
    for (const series of chart.data.series) {
      const value = data.metrics[series.name];
      if (typeof value === "number") series.points.push([data.step ?? series.points.length, value]);
    }
    if (chart.picture || place.querySelector(".chart-empty")) draw(place);
  }
});

export function start(place) {
  const data = JSON.parse(place.querySelector('script[type="application/json"]').textContent);
  const before = charts.get(place);
  before?.picture?.dispose();
  charts.set(place, { kind: place.dataset.chart, data, still: Boolean(before?.picture) });
  if (before?.picture) {
    // A part of the page that fetched itself again: the new picture is there before the next frame, and nothing blinks.
    draw(place);
    return;
  }
  if (place.dataset.liveChart) follow(place.dataset.liveChart);
  sized.observe(place);
  inView.observe(place);
}
