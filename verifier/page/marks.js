// Stages, markers and thresholds in, drawn into a chart: a letter and a kind of dashes each, so that no colour is needed.

import { color } from './theme.js';

/** What each kind of marker is: its letter, its words, its dashes, its colour. */
/** @type {Record<string, {letter: string, words: string, dash: number[], color: string}>} */
export const MARKS = {
  stage: { letter: 'S', words: 'stage begins', dash: [1, 3], color: '--soft' },
  fault: { letter: 'F', words: 'fault', dash: [], color: '--bad' },
  exit: { letter: 'X', words: 'replica ended', dash: [6, 3], color: '--bad' },
  scale: { letter: 'R', words: 'replicas changed', dash: [2, 2], color: '--series-3' },
  gap: { letter: 'G', words: 'nothing could be seen', dash: [8, 3, 2, 3], color: '--unsure' },
  stop: { letter: 'E', words: 'stopped', dash: [], color: '--ink' },
};

/** @param {string} kind */
export function markOf(kind) {
  return MARKS[kind] ?? { letter: '?', words: kind, dash: [1, 2], color: '--soft' };
}

/** @typedef {{value: number, label: string, from: number | null, to: number | null}} Threshold */

/** Bands behind the curves: every second stage. @param {uPlot} plot @param {StageLine[]} stages @param {boolean} named @param {number} scale */
export function drawStages(plot, stages, named, scale) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  stages.forEach((stage, index) => {
    const left = plot.valToPos(stage.start_seconds, 'x', true);
    const right = stage.end_seconds === null ? bbox.left + bbox.width : plot.valToPos(stage.end_seconds, 'x', true);
    ctx.fillStyle = color('--band');
    if (index % 2 === 0) ctx.fillRect(left, bbox.top, right - left, bbox.height);
    if (named && right - left > 30 * devicePixelRatio * scale) stageName(plot, stage.name, Math.max(left, bbox.left), right, devicePixelRatio * scale);
  });
  ctx.restore();
}

/** @param {uPlot} plot @param {string} name @param {number} left @param {number} right @param {number} dot */
function stageName(plot, name, left, right, dot) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left - 3, bbox.height);
  ctx.clip();
  ctx.fillStyle = color('--soft');
  ctx.font = `${11 * dot}px system-ui, sans-serif`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'bottom';
  ctx.fillText(name, left + 4 * dot, bbox.top + bbox.height - 3 * dot);
  ctx.restore();
}

/** Lines from top to bottom, a letter above each. @param {uPlot} plot @param {Marker[]} markers @param {number} scale */
export function drawMarkers(plot, markers, scale) {
  const { ctx, bbox } = plot;
  const dot = devicePixelRatio * scale;
  let lettered = -Infinity;
  ctx.save();
  for (const marker of markers) {
    const x = Math.round(plot.valToPos(marker.at_seconds, 'x', true)) + 0.5;
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    const mark = markOf(marker.kind);
    ctx.strokeStyle = color(mark.color);
    ctx.lineWidth = (marker.kind === 'stage' || marker.kind === 'scale' ? 1 : 1.5) * dot;
    ctx.setLineDash(mark.dash.map((length) => length * dot));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    // Letters that would lie on each other: the first stands, the table below names the rest.
    if (x - lettered < 11 * dot) continue;
    lettered = x;
    ctx.fillStyle = color(mark.color);
    ctx.font = `600 ${10 * dot}px system-ui, sans-serif`;
    ctx.textAlign = 'center';
    ctx.textBaseline = 'bottom';
    ctx.fillText(mark.letter, x, bbox.top - 2 * dot);
  }
  ctx.restore();
}

/** Dashed levels with their words. @param {uPlot} plot @param {Threshold[]} thresholds @param {number} scale */
export function drawThresholds(plot, thresholds, scale) {
  const { ctx, bbox } = plot;
  const dot = devicePixelRatio * scale;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const line of thresholds) {
    const y = Math.round(plot.valToPos(line.value, 'y', true)) + 0.5;
    const left = line.from === null ? bbox.left : Math.max(bbox.left, plot.valToPos(line.from, 'x', true));
    const right = line.to === null ? bbox.left + bbox.width : plot.valToPos(line.to, 'x', true);
    if (right <= bbox.left) continue;
    ctx.strokeStyle = ctx.fillStyle = color('--limit');
    ctx.lineWidth = 1.5 * dot;
    ctx.setLineDash([7 * dot, 4 * dot]);
    ctx.beginPath();
    ctx.moveTo(left, y);
    ctx.lineTo(right, y);
    ctx.stroke();
    ctx.font = `${10 * dot}px system-ui, sans-serif`;
    ctx.textBaseline = y - bbox.top < 14 * dot ? 'top' : 'bottom';
    ctx.textAlign = 'right';
    ctx.fillText(line.label, Math.min(right, bbox.left + bbox.width) - 4 * dot, y);
  }
  ctx.restore();
}
