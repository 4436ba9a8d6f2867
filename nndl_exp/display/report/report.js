"use strict";
/** A button beside each command that copies it. */
for (const block of document.querySelectorAll(".commands pre")) {
  const button = document.createElement("button");
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${block.getAttribute("aria-label")}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
    } catch { // no clipboard here: select it, so that a key copies it
      getSelection().selectAllChildren(block);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  block.after(button);
}

/** Headings that sort the table of trials, up and then down. */
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.querySelectorAll("thead th")];
  const rows = [...table.querySelectorAll("tbody tr")];
  const key = (row, i) => {
    const cell = row.cells[i], value = cell.dataset.key ?? cell.textContent;
    return value !== "" && isFinite(value) ? Number(value) : value;
  };
  headings.forEach((heading, i) => {
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.ariaSort === "ascending";
      headings.forEach((other) => { other.ariaSort = null; });
      heading.ariaSort = down ? "descending" : "ascending";
      const order = (a, b) => {
        const [x, y] = [key(a, i), key(b, i)];
        if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
        return x < y ? -1 : x > y ? 1 : 0;
      };
      rows.sort((a, b) => (down ? -1 : 1) * order(a, b));
      table.tBodies[0].append(...rows);
    });
  });
}

(async () => {
  const data = document.getElementById("charts");
  if (!data || !("DecompressionStream" in window)) return; // what is said of each chart stays
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
  const redraw = () => drawings.forEach((draw) => draw());
  // On paper the charts are as wide as it, in its colours.
  const paper = (width) => {
    document.documentElement.classList.toggle("printing", width !== undefined);
    redraw();
    for (const chart of document.querySelectorAll("[data-chart]"))
      Plotly.relayout(chart, { width, autosize: width === undefined });
  };
  addEventListener("beforeprint", () => paper(660));
  addEventListener("afterprint", () => paper(undefined));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.documentElement.dataset.drawn = drawings.length;
})();
