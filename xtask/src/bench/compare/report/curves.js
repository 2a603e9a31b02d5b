// Draws the report's curves with uPlot, in the colours of style.css, whatever the width.
'use strict';

(() => {
  const curves = JSON.parse(document.getElementById('curves').textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const count = (value) => Math.round(value).toLocaleString('en');
  const short = (value) => {
    if (value >= 100) return count(value);
    return String(Number(value.toPrecision(3)));
  };
  const BOUND = { class: 'bound', stroke: 'transparent', points: { show: false } };
  const FONT = `12px ${getComputedStyle(document.body).fontFamily}`;

  // A colour with so much of it to be seen.
  function faded(colour, alpha) {
    const hex = Math.round(alpha * 255).toString(16).padStart(2, '0');
    return `${colour}${hex}`;
  }

  // 1, 2, 5, 10, ... around what is shown.
  function steps(least, most) {
    const found = [];
    for (let power = Math.floor(Math.log10(least)) - 1; 10 ** power <= most * 10; power += 1) {
      [1, 2, 5].forEach((digit) => found.push(Number((digit * 10 ** power).toPrecision(1))));
    }
    const below = found.filter((step) => step <= least).pop();
    const above = found.find((step) => step >= most);
    return found.filter((step) => step >= below && step <= above);
  }

  function axis(more) {
    const line = () => css('--line');
    return {
      stroke: () => css('--muted'),
      font: FONT,
      grid: { stroke: line, width: 1 },
      ticks: { stroke: line, width: 1, size: 5 },
      ...more,
    };
  }

  // Median, least and most of each line; the last two only bound the band.
  function series(lines, value) {
    return lines.flatMap(({ name, colour, is_reference: isReference }) => [
      {
        label: name,
        stroke: () => css(colour),
        width: isReference ? 1.5 : 2.25,
        dash: isReference ? [6, 4] : undefined,
        points: { show: (chart) => chart.data[0].length < 12, size: 7, fill: () => css(colour) },
        value: (_, at) => (at == null ? '' : value(at)),
      },
      BOUND,
      BOUND,
    ]);
  }

  function bands(lines) {
    return lines.map(({ colour }, line) => ({
      series: [3 * line + 3, 3 * line + 2],
      fill: () => faded(css(colour), 0.16),
    }));
  }

  function draw(id, curve, { x, y, xValue, yValue, scales }) {
    const place = document.getElementById(id);
    if (place === null || curve.lines.length === 0) return;
    const hint = 'Point at a curve to read it';
    const size = () => ({
      width: place.clientWidth, height: place.clientWidth < 480 ? 240 : 300,
    });
    const markers = ['', ...curve.lines.flatMap(({ colour }) => Array(3).fill(`var(${colour})`))];
    const columns = curve.lines.flatMap(({ mid, least, most }) => [mid, least, most]);
    const chart = new uPlot({
      ...size(),
      scales: { x: { time: false, ...scales.x }, y: scales.y },
      series: [{ label: 'x', value: (_, at) => (at == null ? hint : xValue(at)) },
        ...series(curve.lines, yValue)],
      bands: bands(curve.lines),
      axes: [axis(x), axis(y)],
      cursor: { y: false, points: { size: 9 }, drag: { x: false, y: false } },
      legend: { live: true, markers: { width: 0, fill: (_, place) => markers[place] } },
    }, [scales.places ?? curve.x, ...columns], place);
    new ResizeObserver(() => chart.setSize(size())).observe(place);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      chart.redraw(false, true);
    });
  }

  function throughput(curve) {
    // Levels of connections stand side by side, however far apart they are.
    const places = curve.x.map((_, place) => place);
    const most = Math.max(...curve.lines.flatMap((line) => line.most));
    draw('throughput', curve, {
      x: axisOf(places, (place) => count(curve.x[place])),
      y: { size: 62, values: (_, splits) => splits.map(count) },
      xValue: (place) => `${count(curve.x[place])} connections`,
      yValue: (value) => `${count(value)}/s`,
      scales: {
        places,
        x: { range: [-0.15, places.length - 0.85] },
        y: { range: [0, most * 1.08] },
      },
    });
  }

  function latency(curve) {
    const values = curve.lines.flatMap((line) => [...line.least, ...line.most]);
    const known = values.filter((value) => value > 0);
    if (known.length === 0) return;
    const marks = steps(Math.min(...known), Math.max(...known));
    const last = curve.x[curve.x.length - 1];
    const shares = [[0, '0%'], [Math.log10(2), '50%'], [1, '90%'], [2, '99%'], [3, '99.9%'],
      [4, '99.99%'], [5, '99.999%']].filter(([at]) => at <= last);
    const share = (at) => `${Number((100 * (1 - 10 ** -at)).toPrecision(3 + Math.floor(at)))}%`;
    draw('latency', curve, {
      x: axisOf(shares.map(([at]) => at), (at) => shares.find(([known]) => known === at)[1]),
      y: {
        size: 56,
        splits: () => marks,
        filter: (_, splits) => splits,
        values: (_, splits) => splits.map(short),
      },
      xValue: (at) => `${share(at)} within`,
      yValue: (value) => `${short(value)} ms`,
      scales: {
        x: { range: [0, last] },
        y: { distr: 3, range: [marks[0], marks[marks.length - 1]] },
      },
    });
  }

  function axisOf(splits, value) {
    return { splits: () => splits, values: (_, all) => all.map(value) };
  }

  function offerRaw() {
    document.getElementById('save').addEventListener('click', () => {
      const text = document.getElementById('raw').textContent;
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
      link.download = 'comparison.json';
      link.click();
    });
  }

  throughput(curves.throughput);
  latency(curves.latency);
  offerRaw();
})();
