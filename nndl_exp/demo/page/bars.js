// A list of labelled bars, one for each class.

export class Bars {
  #rows;

  constructor(list, labels) {
    list.replaceChildren();
    this.#rows = labels.map((label) => {
      const [row, name, track, bar, value] = ["li", "span", "span", "span", "span"].map((tag) =>
        document.createElement(tag));
      name.className = "name";
      track.className = "track";
      bar.className = "bar";
      value.className = "value";
      name.textContent = label;
      track.setAttribute("aria-hidden", "true");
      track.append(bar);
      row.append(name, track, value);
      list.append(row);
      return { row, bar, value };
    });
  }

  // Values with what is written beside them; full length is `top`. With negative ones bars start in
  // the middle; without any there are no bars.
  show(values, texts, top, best = null) {
    const signed = values.some((value) => value < 0);
    this.#rows.forEach(({ row, bar, value }, i) => {
      const part = Math.min(1, Math.abs(values[i] ?? 0) / top);
      bar.style.setProperty("--part", `${part * (signed ? 50 : 100)}%`);
      bar.style.setProperty("--from", signed ? `${values[i] < 0 ? 50 - part * 50 : 50}%` : "0%");
      bar.classList.toggle("negative", values[i] < 0);
      row.classList.toggle("best", i === best);
      value.textContent = texts[i] ?? "";
    });
  }
}
