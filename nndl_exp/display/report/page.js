"use strict";
(async () => {
  const data = document.getElementById("charts");
  if (!data || !("DecompressionStream" in window)) return; // the pictures stay
  const charts = JSON.parse(data.textContent);
  await load(document.getElementById("plotly").textContent);
  const config = {
    displaylogo: false, responsive: true, displayModeBar: true, doubleClick: false,
    modeBarButtons: [["zoomIn2d", "zoomOut2d", "pan2d", "resetScale2d", "toImage"]],
  };

  /** Run plotly, which is there compressed; the page's policy knows its digest. */
  async function load(packed) {
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }

  /** A figure with the colours that the style sheet has for its names now. */
  function coloured(value) {
    if (typeof value === "string" && value.startsWith("var(--"))
      return getComputedStyle(document.documentElement).getPropertyValue(value.slice(4, -1)).trim();
    if (Array.isArray(value)) return value.map(coloured);
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v)]));
    return value;
  }

  /** Every point that the arrow keys go to, as [number of its trace, its own]. */
  function stops(traces) {
    return traces.flatMap((trace, i) => {
      const last = trace.x ? trace.x.length - 1 : -1;
      if (trace.meta === "last") return [[i, last]];
      return trace.meta === "step" ? trace.x.map((_, j) => [i, j]) : [];
    });
  }

  function said(trace, point) {
    const text = Array.isArray(trace.text) ? trace.text[point] : trace.text;
    const plain = new DOMParser().parseFromString(String(text).replaceAll("<br>", ", "), "text/html");
    return plain.body.textContent;
  }

  function watch(chart, place) {
    let at = -1;
    chart.addEventListener("keydown", (event) => {
      const all = stops(chart.data);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
      if (event.target !== chart || to === undefined || !all.length) return;
      event.preventDefault();
      at = Math.min(Math.max(to, 0), all.length - 1);
      const [curveNumber, pointNumber] = all[at];
      Plotly.Fx.hover(chart, [{ curveNumber, pointNumber }]);
      place.textContent = `${at + 1} of ${all.length}: ${said(chart.data[curveNumber], pointNumber)}`;
    });
    chart.addEventListener("focusout", () => { at = -1; Plotly.Fx.unhover(chart); place.textContent = ""; });
  }

  const drawings = [];
  for (const chart of document.querySelectorAll("[data-chart]")) {
    const key = chart.dataset.chart;
    const frame = chart.parentElement;
    const choice = document.querySelector(`select[data-for="${key}"]`);
    const draw = () => {
      const { data, layout } = coloured(charts[key].views[choice ? choice.value : 0]);
      return Plotly.react(chart, data, layout, config);
    };
    frame.hidden = false;
    await draw();
    frame.parentElement.classList.add("drawn");
    watch(chart, frame.querySelector(".said"));
    if (choice) choice.addEventListener("change", draw);
    drawings.push(draw);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawings.forEach((draw) => draw()));
  document.documentElement.dataset.drawn = drawings.length;
})();
