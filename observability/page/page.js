// Draws Grafana's dashboards from their JSON with uPlot, where there is no Grafana: values and
// curves, no heatmaps, all replicas. Prometheus serves it at /user/ (`cargo xtask observe`), beside
// the answers that it draws. #ledger, #ledger/1h: which dashboard, and how far back.
'use strict';

(() => {
  const DASHBOARDS = ['service', 'ledger', 'postgresql', 'k6'];
  const RANGES = { '5m': 300, '15m': 900, '1h': 3600, '6h': 21600 };
  const SCRAPE_SECONDS = 5;
  const POINTS = 300;
  const COLOURS = ['#3b82f6', '#f59e0b', '#10b981', '#ef4444', '#8b5cf6', '#06b6d4', '#ec4899',
    '#84cc16', '#f97316', '#64748b'];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const element = (name, text, kind = '') => {
    const made = document.createElement(name);
    made.textContent = text;
    made.className = kind;
    return made;
  };

  function scaled(value, steps) {
    const fits = steps.find(([least]) => Math.abs(value) >= least);
    const [size, unit] = fits ?? steps[steps.length - 1];
    return `${Number((value / size).toPrecision(3))}${unit}`;
  }

  // As Grafana's units of the same names.
  function shown(value, unit) {
    if (value === null || !Number.isFinite(value)) return '–';
    if (value === 0) return '0';
    if (unit === 'percentunit') return `${Number((value * 100).toPrecision(3))}%`;
    if (unit === 's') {
      const steps = [[3600, ' h'], [60, ' min'], [1, ' s'], [1e-3, ' ms'], [1e-6, ' µs']];
      return scaled(value, steps);
    }
    const bytes = { bytes: 'B', Bps: 'B/s' }[unit];
    if (bytes) {
      const steps = [[1e9, ' G'], [1e6, ' M'], [1e3, ' k'], [1, ' ']];
      return scaled(value, steps) + bytes;
    }
    if (Math.abs(value) < 1) return String(Number(value.toPrecision(3)));
    return scaled(value, [[1e6, 'M'], [1e3, 'k'], [1, '']]);
  }

  function clock(seconds) {
    return new Date(seconds * 1000).toTimeString().slice(0, 8);
  }

  function chosen() {
    const [name, range] = location.hash.slice(1).split('/');
    return {
      name: DASHBOARDS.includes(name) ? name : DASHBOARDS[0],
      range: RANGES[range] ? range : '15m',
    };
  }

  // What a line's expression was at each step: series of [legend, values].
  async function asked(target, times, step) {
    const rate = Math.max(4 * SCRAPE_SECONDS, 4 * step);
    const query = target.expr
      .replaceAll('$__rate_interval', `${rate}s`)
      .replaceAll('$replica', '.*');
    const [start, end] = [times[0], times[times.length - 1]];
    const words = new URLSearchParams({ query, start, end, step });
    const answer = await (await fetch(`/api/v1/query_range?${words}`)).json();
    return (answer.data?.result ?? []).map(({ metric, values }) => {
      const all = times.map(() => null);
      values.forEach(([time, value]) => {
        const number = Number(value);
        all[Math.round((time - start) / step)] = Number.isFinite(number) ? number : null;
      });
      const label = (_, name) => metric[name] ?? '';
      return [target.legendFormat.replace(/\{\{(\w+)\}\}/g, label), all];
    });
  }

  function last(values) {
    return values.findLast((value) => value !== null) ?? null;
  }

  function stat(panel, box, series) {
    const unit = panel.fieldConfig.defaults.unit;
    const words = series.map(([legend, values]) => legend || shown(last(values), unit));
    const text = words.join(', ') || '–';
    box.replaceChildren(element('div', text, text.length > 10 ? 'stat long' : 'stat'));
  }

  function curves(panel, box, series, times) {
    const { unit, custom } = panel.fieldConfig.defaults;
    const isStacked = custom?.stacking !== undefined;
    const drawn = series.map(([, values]) => values);
    if (isStacked) {
      drawn.forEach((values, index) => {
        const below = drawn[index - 1];
        drawn[index] = values.map((value, at) => (value ?? 0) + (below?.[at] ?? 0));
      });
    }
    const legend = element('div', '', 'legend');
    series.forEach(([name, values], index) => {
      const entry = element('span', `${name} ${shown(last(values), unit)}`);
      const mark = element('i', '');
      mark.style.background = COLOURS[index % COLOURS.length];
      entry.prepend(mark);
      legend.append(entry);
    });
    const grid = { stroke: css('--line') };
    const axis = { stroke: css('--muted'), grid, ticks: { show: false } };
    const plot = element('div', '');
    box.replaceChildren(plot, legend);
    // The topmost of a stack first, so that it does not cover the others.
    const order = drawn.map((_, index) => (isStacked ? drawn.length - 1 - index : index));
    const options = {
      width: box.clientWidth,
      height: Math.max(box.parentElement.clientHeight - 72, 120),
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [
        { ...axis, space: 80, values: (_, ticks) => ticks.map(clock) },
        { ...axis, size: 64, values: (_, ticks) => ticks.map((at) => shown(at, unit)) },
      ],
      series: [{}, ...order.map((index) => {
        const colour = COLOURS[index % COLOURS.length];
        return { stroke: colour, width: 1.5, fill: `${colour}${isStacked ? '40' : '10'}`,
          points: { show: false } };
      })],
    };
    new uPlot(options, [times, ...order.map((index) => drawn[index])], plot);
  }

  async function draw(panel, box, times, step) {
    const lines = await Promise.all(panel.targets.map((target) => asked(target, times, step)));
    const series = lines.flat();
    if (panel.type === 'stat') stat(panel, box, series);
    else curves(panel, box, series, times);
  }

  function lay(dashboard) {
    const main = document.getElementById('panels');
    main.replaceChildren();
    return dashboard.panels.map((panel) => {
      const { x, y, w, h } = panel.gridPos;
      const isRow = panel.type === 'row';
      const outer = element(isRow ? 'h2' : 'section', isRow ? panel.title : '');
      outer.classList.add(isRow ? 'row' : panel.type === 'stat' ? 'small' : 'large');
      outer.style.gridArea = `${y + 1} / ${x + 1} / span ${h} / span ${w}`;
      main.append(outer);
      if (isRow) return null;
      const title = element('h2', panel.title);
      title.title = panel.description ?? '';
      const box = element('div', '');
      outer.append(title, box);
      if (panel.type === 'heatmap') box.textContent = 'A heatmap: Grafana draws it.';
      return panel.type === 'heatmap' ? null : { panel, box };
    }).filter((one) => one !== null);
  }

  function navigate({ name, range }) {
    const said = document.getElementById('said');
    const link = (text, hash, isHere) => {
      const made = element('a', text);
      made.href = `#${hash}`;
      if (isHere) made.setAttribute('aria-current', 'page');
      return made;
    };
    document.getElementById('nav').replaceChildren(
      element('strong', 'crebito'),
      ...DASHBOARDS.map((one) => link(one, `${one}/${range}`, one === name)),
      ...Object.keys(RANGES).map((one) => link(one, `${name}/${one}`, one === range)),
      link('expressions', '', false), link('alerts', '', false), said,
    );
    const links = document.querySelectorAll('nav a');
    links[links.length - 2].href = '/graph';
    links[links.length - 1].href = '/alerts';
  }

  let turn = 0;
  async function show() {
    const mine = turn += 1;
    const choice = chosen();
    navigate(choice);
    const dashboard = await (await fetch(`dashboards/${choice.name}.json`)).json();
    if (mine !== turn) return;
    document.title = dashboard.title;
    const panels = lay(dashboard);
    while (mine === turn) {
      const seconds = RANGES[choice.range];
      const step = Math.max(SCRAPE_SECONDS, Math.ceil(seconds / POINTS));
      const end = Math.floor(Date.now() / 1000 / step) * step;
      const count = Math.floor(seconds / step);
      const times = Array.from({ length: count }, (_, index) => end - (count - 1 - index) * step);
      const drawn = await Promise.allSettled(
        panels.map(({ panel, box }) => draw(panel, box, times, step)),
      );
      const failed = drawn.filter(({ status }) => status === 'rejected');
      failed.forEach(({ reason }) => console.error(reason));
      document.getElementById('said').textContent =
        failed.length === 0 ? clock(end) : `${failed.length} not drawn: is Prometheus there?`;
      document.body.dataset.drawn = String(drawn.length - failed.length);
      await new Promise((done) => setTimeout(done, SCRAPE_SECONDS * 1000));
    }
  }

  addEventListener('hashchange', show);
  show();
})();
