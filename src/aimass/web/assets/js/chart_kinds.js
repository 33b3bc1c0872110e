// Kind of chart -> ECharts option, a sentence for screen readers, and the same data as a table.
import { duration, number, percent } from "./numbers.js";
import { moments } from "./moments.js";
import { say } from "./page.js";

const MAX_LINES = 5;
const MAX_PLAIN = 3;
const DARK_TEXT_UP_TO = 0.68;
const BOUNDS = { outerBoundsMode: "same", outerBoundsContain: "all" };

function axis(colour, more = {}) {
  return {
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: colour.fg2, fontSize: 11, hideOverlap: true },
    splitLine: { lineStyle: { color: colour.line } },
    nameTextStyle: { color: colour.fg2, fontSize: 11 },
    nameLocation: "middle",
    ...more,
  };
}

function tooltip(colour, more = {}) {
  return {
    trigger: "axis",
    confine: true,
    transitionDuration: 0,
    backgroundColor: colour.raised,
    borderColor: colour.line2,
    borderWidth: 1,
    padding: [6, 10],
    textStyle: { color: colour.fg, fontSize: 12 },
    axisPointer: { lineStyle: { color: colour.line2 }, crossStyle: { color: colour.line2 }, shadowStyle: { color: colour["mute-bg"], opacity: 0.5 } },
    ...more,
  };
}

function legend(colour, names) {
  if (names.length < 2) return undefined;
  return {
    data: names, top: 0, left: 0, itemWidth: 14, itemHeight: 8, itemGap: 14, icon: "roundRect",
    textStyle: { color: colour.fg2, fontSize: 12 }, inactiveColor: colour["c-rest"],
    type: names.length > MAX_PLAIN ? "scroll" : "plain", pageIconColor: colour.fg2, pageTextStyle: { color: colour.fg2 },
  };
}

function grid(hasLegend, more = {}) {
  return { left: 0, right: 12, top: hasLegend ? 32 : 12, bottom: 4, ...BOUNDS, ...more };
}

function stroke(colour, at, dashed) {
  const shown = at < MAX_LINES;
  return { width: shown ? 1.75 : 1, color: shown ? colour.series[at] : colour["c-rest"], type: dashed ? [5, 4] : "solid" };
}

function unitOf(data) {
  if (data.unit === "s") return duration;
  if (data.unit === "share") return (value) => percent(value, 3);
  return (value) => number(value) + (data.unit ? ` ${data.unit}` : "");
}

function line(data, colour, width) {
  const write = unitOf(data);
  const time = data.x === "time";
  const names = data.series.map((series) => series.name);
  const times = time ? moments(data.series.flatMap((series) => series.points.map(([x]) => x * 1000)), width) : {};
  const drawn = data.series.map((series, at) => ({
    type: "line",
    name: series.name,
    data: time ? series.points.map(([x, y]) => [x * 1000, y]) : series.points,
    step: data.stepped ? "end" : false,
    showSymbol: series.points.length < 2,
    symbolSize: 5,
    sampling: "lttb",
    connectNulls: false,
    lineStyle: stroke(colour, at, series.dashed),
    itemStyle: { color: stroke(colour, at).color },
    areaStyle: data.area ? { color: stroke(colour, at).color, opacity: 0.1 } : undefined,
    emphasis: { disabled: true },
    z: MAX_LINES - at + 2,
  }));
  if (drawn.length) drawn[0].markLine = lines(data, colour, time);
  if (data.best && drawn.length) {
    drawn[0].markPoint = {
      symbol: "circle", symbolSize: 8, animation: false, data: [{ coord: data.best, name: say("Best") }],
      itemStyle: { color: colour.surface, borderColor: colour.c1, borderWidth: 2 }, label: { show: false },
    };
  }
  return {
    option: {
      grid: grid(names.length > 1, { top: (names.length > 1 ? 32 : 12) + (data.marks?.length ? 14 : 0) }),
      legend: legend(colour, names),
      tooltip: tooltip(colour, { valueFormatter: write }),
      xAxis: axis(colour, {
        type: time ? "time" : "value", ...(times.range ?? { min: "dataMin", max: "dataMax" }), splitLine: { show: false },
        axisLine: { show: true, lineStyle: { color: colour.line2 } },
        minInterval: time ? undefined : 1,
        axisLabel: { color: colour.fg2, fontSize: 11, hideOverlap: true, ...times.labels },
        name: time ? undefined : data.x_name ?? say(data.x === "epoch" ? "Epoch" : "Step"), nameGap: 24,
      }),
      yAxis: axis(colour, { type: data.log ? "log" : "value", scale: !data.from_zero, splitNumber: 4, axisLabel: { color: colour.fg2, fontSize: 11, formatter: write } }),
      series: drawn,
    },
    summary: data.series.map((s) => `${s.name}: ${s.points.length ? write(s.points.at(-1)[1]) : "–"}`).join("; "),
  };
}

function lines(data, colour, time) {
  const marks = (data.marks ?? []).map(({ x, text, tone }) => ({
    xAxis: time ? x * 1000 : x,
    label: { formatter: text, position: "end", rotate: 0, distance: 2, color: colour.fg2, fontSize: 11 },
    lineStyle: { color: colour[tone] ?? colour.fg3, type: "dashed", width: 1 },
  }));
  if (data.objective !== undefined && data.objective !== null) {
    marks.push({
      yAxis: data.objective, lineStyle: { color: colour.warn, type: [4, 3], width: 1 },
      label: { formatter: say(data.line ?? "Objective"), position: "insideEndTop", color: colour.warn, fontSize: 11 },
    });
  }
  return marks.length ? { symbol: "none", silent: true, animation: false, data: marks } : undefined;
}

function curves(data, colour, { x, y, score, extra = [], square = true }) {
  const named = data.curves.map((curve) => ({ ...curve, label: score && curve[score] !== undefined ? `${curve.name} · ${score.toUpperCase()} ${number(curve[score])}` : curve.name }));
  const names = named.map((curve) => curve.label);
  const range = { type: "value", min: 0, max: 1, interval: 0.25 };
  return {
    option: {
      grid: grid(names.length > 0),
      legend: { ...legend(colour, [...names, "-"]), data: names },
      tooltip: tooltip(colour, { trigger: "axis", valueFormatter: (value) => number(value) }),
      xAxis: axis(colour, { ...range, name: x, nameGap: 24, axisPointer: { label: { show: false } } }),
      yAxis: axis(colour, { ...range, name: y, nameGap: 34, min: square ? 0 : undefined }),
      series: [
        ...extra,
        ...named.map((curve, at) => ({
          type: "line", name: curve.label, data: curve.points, showSymbol: score === undefined, symbolSize: 6, symbol: "circle",
          lineStyle: stroke(colour, at, curve.dashed), itemStyle: { color: stroke(colour, at).color }, emphasis: { disabled: true }, z: 5,
          areaStyle: at === 0 && score ? { color: colour.c1, opacity: 0.06 } : undefined,
          markPoint: curve.threshold ? {
            symbol: "circle", symbolSize: 9, data: [{ coord: curve.threshold }], label: { show: false },
            itemStyle: { color: colour.surface, borderColor: colour.c1, borderWidth: 2 },
          } : undefined,
        })),
      ],
    },
    summary: names.join("; "),
  };
}

function straight(name, points, colour) {
  return { type: "line", name, data: points, showSymbol: false, silent: true, lineStyle: { color: colour.fg3, width: 1, type: [3, 4] }, itemStyle: { color: colour.fg3 }, tooltip: { show: false }, emphasis: { disabled: true } };
}

function roc(data, colour) {
  const extra = [straight(say("Chance"), [[0, 0], [1, 1]], colour)];
  return curves(data, colour, { x: say("False positive rate"), y: say("True positive rate"), score: "auc", extra });
}

function pr(data, colour) {
  const extra = data.base === undefined ? [] : [straight(say("Chance"), [[0, data.base], [1, data.base]], colour)];
  return curves(data, colour, { x: say("Recall"), y: say("Precision"), score: "ap", extra });
}

function calibration(data, colour) {
  const extra = [straight(say("Perfect"), [[0, 0], [1, 1]], colour)];
  return curves(data, colour, { x: say("Mean predicted probability"), y: say("Observed share"), extra });
}

function confusion(data, colour) {
  const totals = data.counts.map((row) => row.reduce((sum, n) => sum + n, 0) || 1);
  const cells = data.counts.flatMap((row, y) => row.map((count, x) => [x, y, count / totals[y], count]));
  const labels = { color: colour.fg, fontSize: 12 };
  return {
    option: {
      grid: { left: 0, right: 4, top: 8, bottom: 4, ...BOUNDS },
      tooltip: tooltip(colour, { trigger: "item", formatter: ({ value: [x, y, share, count] }) => `${say("Actual")} ${data.labels[y]}, ${say("Predicted")} ${data.labels[x]}: ${number(count)} (${percent(share, 3)})` }),
      xAxis: axis(colour, { type: "category", data: data.labels, name: say("Predicted"), nameGap: 24, splitLine: { show: false }, axisLabel: labels }),
      yAxis: axis(colour, { type: "category", data: data.labels, inverse: true, name: say("Actual"), nameGap: 34, splitLine: { show: false }, axisLabel: labels }),
      visualMap: { show: false, min: 0, max: 1, dimension: 2, inRange: { color: [colour["accent-bg"], colour.accent] } },
      series: [{
        type: "heatmap", data: cells, emphasis: { disabled: true }, itemStyle: { borderColor: colour.surface, borderWidth: 3, borderRadius: 6 },
        label: {
          show: true, formatter: ({ value }) => `{n|${number(value[3])}}\n{p|${percent(value[2], 3)}}`,
          rich: { n: { fontSize: 16, fontWeight: 600, lineHeight: 22 }, p: { fontSize: 11 } },
        },
      }].map((series) => ({ ...series, data: cells.map((cell) => ({ value: cell, label: { color: cell[2] > DARK_TEXT_UP_TO ? colour.surface : colour.fg } })) })),
    },
    summary: cells.map(([x, y, , count]) => `${say("Actual")} ${data.labels[y]}, ${say("Predicted")} ${data.labels[x]}: ${number(count)}`).join("; "),
  };
}

// Predicted against true numbers: points, and the straight on which they would lie if all were right.
function scatter(data, colour) {
  const names = data.curves.map((curve) => curve.name);
  const [low, high] = [Math.min(...data.curves.flatMap((c) => c.points.flat())), Math.max(...data.curves.flatMap((c) => c.points.flat()))];
  const range = { type: "value", scale: true, splitNumber: 4, axisLabel: { color: colour.fg2, fontSize: 11, formatter: (value) => number(value) } };
  const drawn = data.curves.map((curve, at) => ({
    type: data.lines ? "line" : "scatter", name: curve.name, data: curve.points, symbol: "circle", symbolSize: data.lines ? 6 : 5, z: 5,
    showSymbol: true, lineStyle: stroke(colour, at), itemStyle: { color: stroke(colour, at).color, opacity: data.lines ? 1 : 0.55 }, emphasis: { disabled: true },
  }));
  return {
    option: {
      grid: grid(names.length > 1),
      legend: legend(colour, names),
      tooltip: tooltip(colour, { trigger: "item", formatter: ({ seriesName, value: [x, y] }) => `${names.length > 1 ? `${seriesName}: ` : ""}${say("Actual")} ${number(x)}, ${say("Predicted")} ${number(y)}` }),
      xAxis: axis(colour, { ...range, name: say("Actual"), nameGap: 24 }),
      yAxis: axis(colour, { ...range, name: say("Predicted"), nameGap: 46 }),
      series: [straight(say("Perfect"), [[low, low], [high, high]], colour), ...drawn],
    },
    summary: data.curves.map((curve) => `${curve.name}: ${number(curve.points.length)}`).join("; "),
  };
}

// What is given for what: a point for each thing, in the colour and shape of what became of it; the two that matter by name.
function tradeoff(data, colour) {
  const paints = { base: colour.fg2, met: colour.ok, missed: colour.bad, chosen: colour.accent };
  const shapes = { base: "diamond", met: "circle", missed: "triangle", chosen: "roundRect" };
  const range = { type: "value", scale: true, splitNumber: 4, axisLabel: { color: colour.fg2, fontSize: 11, hideOverlap: true, formatter: (value) => number(value) } };
  return {
    option: {
      grid: grid(false, { right: 24, top: 24 }),
      tooltip: tooltip(colour, { trigger: "item", formatter: ({ seriesName, value: [x, y] }) => `${seriesName}<br>${data.x_name}: ${number(x)}<br>${data.y_name}: ${number(y)}` }),
      xAxis: axis(colour, { ...range, name: data.x_name, nameGap: 24 }),
      yAxis: axis(colour, { ...range, name: data.y_name, nameGap: 46 }),
      series: data.curves.map((curve) => ({
        type: "scatter", name: curve.name, data: curve.points, symbol: shapes[curve.kind], symbolSize: curve.kind === "chosen" ? 13 : 10, z: curve.kind === "chosen" ? 6 : 5,
        itemStyle: { color: paints[curve.kind], borderColor: colour.surface, borderWidth: 1 }, emphasis: { disabled: true },
        label: { show: curve.kind === "base" || curve.kind === "chosen", formatter: curve.name, position: curve.kind === "base" ? "bottom" : "top", color: colour.fg, fontSize: 11 },
      })),
    },
    summary: data.curves.map((curve) => `${curve.name}: ${curve.points.map(([x, y]) => `${number(x)}, ${number(y)}`).join("; ")}`).join("; "),
  };
}

// How many rows were off by how much.
function residuals(data, colour) {
  return {
    option: {
      grid: grid(false),
      tooltip: tooltip(colour, { axisPointer: { type: "shadow", shadowStyle: { color: colour["mute-bg"], opacity: 0.5 } }, valueFormatter: (value) => number(value) }),
      xAxis: axis(colour, { type: "category", data: data.items.map((item) => item.name), splitLine: { show: false }, name: say("Predicted minus actual"), nameGap: 24, axisLine: { show: true, lineStyle: { color: colour.line2 } } }),
      yAxis: axis(colour, { type: "value", splitNumber: 3 }),
      series: [{ type: "bar", name: say("Rows"), data: data.items.map((item) => item.value), itemStyle: { color: colour.c1, borderRadius: [2, 2, 0, 0] }, barCategoryGap: "8%", emphasis: { disabled: true } }],
    },
    summary: `${say("Rows")}: ${number(data.items.reduce((sum, item) => sum + item.value, 0))}`,
  };
}

function sideBars(items, colour, paint, more = {}) {
  const write = more.write ?? ((value) => number(value));
  return {
    grid: grid(false, { right: 48, top: 4 }),
    tooltip: tooltip(colour, { trigger: "item", formatter: ({ name, value }) => `${name}: ${write(value)}` }),
    xAxis: axis(colour, { type: "value", splitNumber: 4, ...more.xAxis }),
    yAxis: axis(colour, { type: "category", inverse: true, data: items.map((item) => item.name), splitLine: { show: false }, axisLabel: { color: colour.fg, fontSize: 12, width: 140, overflow: "truncate" } }),
    series: [{
      type: "bar", barMaxWidth: 14, barMinHeight: 2, emphasis: { disabled: true },
      data: items.map((item) => ({ name: item.name, value: item.value, itemStyle: { color: paint(item.value), borderRadius: item.value < 0 ? [3, 0, 0, 3] : [0, 3, 3, 0] }, label: { position: "right" } })),
      label: { show: true, color: colour.fg2, fontSize: 11, backgroundColor: colour.surface, padding: [1, 3], borderRadius: 3, formatter: ({ value }) => write(value) },
      markLine: more.markLine,
    }],
  };
}

function bars(data, colour) {
  const items = data.items.slice(0, 15);
  const option = sideBars(items, colour, (value) => (value < 0 ? colour.c2 : colour.c1), { write: unitOf(data) });
  return { option, summary: items.slice(0, 5).map((item) => `${item.name} ${number(item.value)}`).join("; ") };
}

function psi(data, colour) {
  const items = [...data.items].sort((a, b) => b.value - a.value).slice(0, 20);
  const paint = (value) => (value >= 0.2 ? colour["bad-fill"] : value >= 0.1 ? colour["warn-fill"] : colour.c1);
  const mark = (at, text, tone, align) => ({ xAxis: at, lineStyle: { color: colour[tone], type: [4, 3], width: 1 }, label: { formatter: `${text} ${at}`, color: colour[tone], fontSize: 11, position: "start", align, padding: [0, 3] } });
  const option = sideBars(items, colour, paint, {
    xAxis: { max: ({ max }) => (max < 0.24 ? 0.25 : Math.ceil(max * 1.05 * (max > 2 ? 1 : 10)) / (max > 2 ? 1 : 10)), min: 0 },
    markLine: { symbol: "none", silent: true, animation: false, data: [mark(0.1, say("Watch"), "warn", "right"), mark(0.2, say("Drift"), "bad", "left")] },
  });
  option.grid = { ...option.grid, top: 24 };
  return { option, summary: items.filter((item) => item.value >= 0.1).map((item) => `${item.name} ${number(item.value)}`).join("; ") };
}

function histograms(data, colour) {
  const share = (counts) => {
    const total = counts.reduce((sum, n) => sum + n, 0) || 1;
    return counts.map((n) => n / total);
  };
  const pairs = [[say("Reference"), data.reference, colour["c-rest"]], [say("Current"), data.current, colour.c1]].filter(([, counts]) => counts);
  return {
    option: {
      grid: grid(pairs.length > 1),
      legend: legend(colour, pairs.map(([name]) => name)),
      tooltip: tooltip(colour, { axisPointer: { type: "shadow", shadowStyle: { color: colour["mute-bg"], opacity: 0.5 } }, valueFormatter: (value) => percent(value, 3) }),
      xAxis: axis(colour, { type: "category", data: data.bins.map((bin) => (/^\(\w+\)$/.test(bin) ? say(bin) : bin)), splitLine: { show: false }, axisLine: { show: true, lineStyle: { color: colour.line2 } } }),
      yAxis: axis(colour, { type: "value", splitNumber: 3, axisLabel: { color: colour.fg2, fontSize: 11, formatter: (value) => percent(value) } }),
      series: pairs.map(([name, counts, fill]) => ({ type: "bar", name, data: share(counts), itemStyle: { color: fill, borderRadius: [2, 2, 0, 0] }, barGap: "8%", barCategoryGap: "22%", barMaxWidth: 28, emphasis: { disabled: true } })),
    },
    summary: pairs.map(([name, counts]) => `${name}: ${number(counts.reduce((sum, n) => sum + n, 0))}`).join("; "),
  };
}

// Who ran what when: rows of spans in time, tinted by tone, with a text where there is room.
function status(data, colour, width) {
  const spans = data.rows.flatMap((row, y) => row.spans.map((span) => [y, span.from * 1000, span.to * 1000, span.text ?? "", colour[span.tone] ?? colour["c-rest"]]));
  const shape = (params, api) => {
    const [from, to] = [api.coord([api.value(1), api.value(0)]), api.coord([api.value(2), api.value(0)])];
    const tall = Math.min(26, api.size([0, 1])[1] * 0.7);
    const box = { x: from[0], y: from[1] - tall / 2, width: Math.max(3, to[0] - from[0] - 2), height: tall };
    const [, , , text, tint] = spans[params.dataIndex];
    return {
      type: "group",
      children: [
        { type: "rect", shape: { ...box, r: 4 }, style: { fill: tint, opacity: 0.16 } },
        { type: "rect", shape: { ...box, width: 3, r: [4, 0, 0, 4] }, style: { fill: tint } },
        { type: "text", style: { x: box.x + 10, y: from[1], text, fill: colour.fg, fontSize: 12, fontWeight: 500, verticalAlign: "middle", width: box.width - 14, overflow: "truncate" } },
      ],
    };
  };
  const when = (value) => new Date(value).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  return {
    option: {
      grid: grid(false, { top: 4 }),
      tooltip: tooltip(colour, { trigger: "item", formatter: ({ value: [y, from, to, text] }) => `${data.rows[y].name}${text ? `: ${text}` : ""}<br>${when(from)} – ${when(to)}` }),
      xAxis: axis(colour, { type: "time", splitLine: { show: false }, axisLine: { show: true, lineStyle: { color: colour.line2 } }, min: "dataMin", max: "dataMax", axisLabel: { color: colour.fg2, fontSize: 11, hideOverlap: true, ...moments(spans.flatMap(([, from, to]) => [from, to]), width).labels } }),
      yAxis: axis(colour, { type: "category", inverse: true, data: data.rows.map((row) => row.name), splitLine: { show: false }, axisLabel: { color: colour.fg, fontSize: 12 } }),
      series: [{ type: "custom", renderItem: shape, encode: { x: [1, 2], y: 0 }, data: spans }],
    },
    summary: data.rows.map((row) => `${row.name}: ${row.spans.map((span) => span.text ?? "").join(", ")}`).join("; "),
  };
}

function heat(data, colour) {
  const cells = data.values.flatMap((row, y) => row.map((value, x) => [x, y, value]));
  const top = Math.max(...cells.map((cell) => cell[2] ?? 0), 0) || 1;
  return {
    option: {
      grid: { left: 0, right: 4, top: 8, bottom: 4, ...BOUNDS },
      tooltip: tooltip(colour, { trigger: "item", formatter: ({ value: [x, y, n] }) => `${data.y[y]}, ${data.x[x]}: ${number(n)}` }),
      xAxis: axis(colour, { type: "category", data: data.x, splitLine: { show: false } }),
      yAxis: axis(colour, { type: "category", data: data.y, inverse: true, splitLine: { show: false } }),
      visualMap: { show: false, min: 0, max: top, dimension: 2, inRange: { color: [colour["accent-bg"], colour.accent] } },
      series: [{ type: "heatmap", data: cells, itemStyle: { borderColor: colour.surface, borderWidth: 2, borderRadius: 3 }, emphasis: { disabled: true } }],
    },
    summary: "",
  };
}

// A line for each thing over an axis for each of its values; the last axis colours the lines, the better ones last and on top.
function parallel(data, colour, width) {
  const last = data.axes.length - 1;
  const scores = data.lines.map((one) => one.values[last]);
  const worse = data.lower ? (one, other) => other - one : (one, other) => one - other;
  const sorted = [...data.lines].sort((one, other) => worse(one.values[last], other.values[last]));
  const label = { color: colour.fg2, fontSize: 11 };
  const paints = [colour["c-rest"], colour.accent];
  const every = Math.max(60, (width - 80) / Math.max(1, last));
  return {
    option: {
      parallel: { left: 32, right: 56, top: 44, bottom: 16 },
      parallelAxis: data.axes.map((one, dim) => ({
        dim, name: one.name, nameLocation: "end", nameGap: 16, nameTextStyle: { ...label, width: every - 12, overflow: "truncate" },
        type: one.choices ? "category" : one.log ? "log" : "value", data: one.choices, scale: true,
        min: one.choices ? undefined : one.low, max: one.choices ? undefined : one.high,
        axisLine: { lineStyle: { color: colour.line2 } }, axisTick: { show: false },
        axisLabel: { ...label, hideOverlap: true, formatter: one.choices ? undefined : (value) => number(value) },
        areaSelectStyle: { color: colour.accent, borderColor: colour.accent, opacity: 0.15, width: 16 },
      })),
      visualMap: {
        show: false, dimension: last, min: Math.min(...scores), max: Math.max(...scores),
        inRange: { color: data.lower ? [...paints].reverse() : paints },
      },
      series: [{
        type: "parallel", data: sorted.map((one) => one.values.map((value) => value ?? "-")), inactiveOpacity: 0.05, activeOpacity: 0.9,
        lineStyle: { width: 1.25, opacity: 0.7 }, emphasis: { disabled: true }, progressive: 0,
      }],
    },
    summary: `${data.lines.length} × ${data.axes.length}`,
  };
}

export const kinds = { line, latency: (data, colour, width) => line({ unit: "s", x: "time", from_zero: true, ...data }, colour, width), roc, pr, calibration, confusion, scatter, tradeoff, residuals, bars, psi, histograms, status, heat, parallel };

export function isEmpty(kind, data) {
  if (data.series) return !data.series.some((series) => series.points.length);
  const list = data.curves ?? data.counts ?? data.items ?? data.bins ?? data.rows ?? data.lines ?? data.values ?? [];
  return list.length === 0;
}

export function tabular(kind, data) {
  if (data.series) {
    const time = data.x === "time" || kind === "latency";
    const x = (value) => (time ? new Date(value * 1000).toISOString() : value);
    return { columns: [say("Name"), say(time ? "Time" : "Step"), say("Value")], rows: data.series.flatMap((s) => s.points.map(([at, y]) => [s.name, x(at), y ?? ""])) };
  }
  if (data.curves) return { columns: [say("Name"), "x", "y"], rows: data.curves.flatMap((c) => c.points.map(([x, y]) => [c.name, x, y])) };
  if (data.counts) return { columns: [say("Actual"), ...data.labels], rows: data.counts.map((row, y) => [data.labels[y], ...row]) };
  if (data.items) return { columns: [say("Name"), say("Value")], rows: data.items.map((item) => [item.name, item.value]) };
  if (data.lines) return { columns: [say("Name"), ...data.axes.map((one) => one.name)], rows: data.lines.map((one) => [one.name, ...one.values.map((value) => value ?? "")]) };
  if (data.bins) return { columns: [say("Name"), say("Reference"), say("Current")], rows: data.bins.map((bin, at) => [bin, data.reference?.[at] ?? "", data.current?.[at] ?? ""]) };
  if (data.rows) return { columns: [say("Name"), say("Value"), say("Time"), ""], rows: data.rows.flatMap((row) => row.spans.map((s) => [row.name, s.text ?? "", new Date(s.from * 1000).toISOString(), new Date(s.to * 1000).toISOString()])) };
  return { columns: ["", ...data.x], rows: data.values.map((row, y) => [data.y[y], ...row]) };
}
