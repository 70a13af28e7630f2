//! The run on one axis: replicas, CPU against its target, latency, failures, with what was broken marked.

use super::charts::{COLOURS, GRID, INK, draw, drawing, text};
use super::pictures::Pictures;
use crate::verdict::cluster::{Cluster, ScalePoint};
use anyhow::Result;
use plotters::prelude::*;

/// Height of one panel.
const PANEL: u32 = 150;

/// Points, whether the line is steps, and its colour.
struct Series {
    name: &'static str,
    points: Vec<(f64, f64)>,
    colour: RGBColor,
}

struct Panel {
    title: &'static str,
    series: Vec<Series>,
}

/// The chart; `None` where no cluster's scale was seen.
pub(super) fn chart(pictures: &Pictures, cluster: &Cluster) -> Result<Option<String>> {
    let begins = pictures.seconds.first().map(|second| second.at as f64);
    let (Some(from), false) = (begins, cluster.scale.is_empty()) else {
        return Ok(None);
    };
    let last_load = pictures
        .seconds
        .last()
        .map_or(from, |second| second.at as f64 + 1.0);
    let last_scale = cluster
        .scale
        .last()
        .map_or(last_load, |point| point.at_seconds);
    let to = last_load.max(last_scale).max(from + 1.0);
    let panels = panels(pictures, cluster, from, to);
    let height = PANEL * u32::try_from(panels.len()).unwrap_or(1) + 20;
    let svg = draw(height, |area| {
        for (panel, part) in panels.iter().zip(area.split_evenly((panels.len(), 1))) {
            one(&part, panel, (from, to), pictures, cluster)?;
        }
        Ok(())
    })?;
    Ok(Some(svg))
}

fn panels(pictures: &Pictures, cluster: &Cluster, from: f64, to: f64) -> Vec<Panel> {
    let of_scale =
        |figure: &dyn Fn(&ScalePoint) -> Option<f64>| steps(&cluster.scale, figure, from, to);
    let of_seconds = |figure: &dyn Fn(&super::Second) -> f64| -> Vec<(f64, f64)> {
        let seconds = pictures.seconds.iter();
        seconds
            .map(|second| (second.at as f64 + 0.5, figure(second)))
            .collect()
    };
    let line = |name, points, colour: usize| Series {
        name,
        points,
        colour: COLOURS[colour],
    };
    let target = cluster.hpa.as_ref().and_then(|hpa| hpa.target_cpu_percent);
    let target = target.map_or_else(Vec::new, |target| {
        vec![(from, target as f64), (to, target as f64)]
    });
    vec![
        Panel {
            title: "replicas",
            series: vec![
                line("asked for", of_scale(&|p| p.desired.map(f64::from)), 1),
                line("ready", of_scale(&|p| Some(f64::from(p.ready))), 2),
            ],
        },
        Panel {
            title: "CPU, % of the requests",
            series: vec![
                line(
                    "seen by the HPA",
                    of_scale(&|p| p.cpu_percent.map(|cpu| cpu as f64)),
                    0,
                ),
                line("target", target, 6),
            ],
        },
        Panel {
            title: "latency, ms",
            series: vec![
                line("p50", of_seconds(&|s| s.p50_ms), 0),
                line("p99", of_seconds(&|s| s.p99_ms), 4),
            ],
        },
        Panel {
            title: "requests per second",
            series: vec![
                line("answered", of_seconds(&|s| s.answered as f64), 0),
                line("failed", of_seconds(&|s| s.failed as f64), 3),
            ],
        },
    ]
}

/// A step for each change; what held before the axis begins is its first value.
fn steps(
    points: &[ScalePoint],
    figure: &dyn Fn(&ScalePoint) -> Option<f64>,
    from: f64,
    to: f64,
) -> Vec<(f64, f64)> {
    let mut line: Vec<(f64, f64)> = Vec::new();
    for point in points {
        let Some(value) = figure(point) else { continue };
        let at = point.at_seconds.max(from);
        if let Some((_, before)) = line.last().copied() {
            line.push((at, before));
        }
        line.push((at, value));
    }
    if let Some((_, last)) = line.last().copied() {
        line.push((to, last));
    }
    line
}

fn one(
    area: &super::charts::Area<'_>,
    panel: &Panel,
    (from, to): (f64, f64),
    pictures: &Pictures,
    cluster: &Cluster,
) -> Result<()> {
    let values = panel
        .series
        .iter()
        .flat_map(|series| series.points.iter().map(|(_, y)| *y));
    let most = values.fold(1.0, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_top(22)
        .x_label_area_size(20)
        .y_label_area_size(64)
        .build_cartesian_2d(from..to, 0.0..most)
        .map_err(drawing)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style(text(11))
        .y_labels(4)
        .x_label_formatter(&|x| format!("{x:.0} s"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .draw()
        .map_err(drawing)?;
    let mut mark = |at: f64, colour: RGBColor| -> Result<()> {
        let line = PathElement::new([(at, 0.0), (at, most)], colour.stroke_width(1));
        chart.draw_series([line]).map_err(drawing)?;
        Ok(())
    };
    for (_, at) in &pictures.stage_starts {
        mark(*at, GRID)?;
    }
    for incident in &cluster.incidents {
        mark(incident.at.earliest_seconds, COLOURS[3])?;
    }
    for at in cluster.faults.iter().filter_map(|fault| fault.at_seconds) {
        mark(at, COLOURS[1])?;
    }
    for series in panel
        .series
        .iter()
        .filter(|series| !series.points.is_empty())
    {
        let line = LineSeries::new(series.points.iter().copied(), series.colour.stroke_width(2));
        chart.draw_series(line).map_err(drawing)?;
    }
    area.draw_text(panel.title, &text(12), (8, 4))
        .map_err(drawing)?;
    let mut x = 230;
    for series in &panel.series {
        area.draw(&Rectangle::new(
            [(x, 6), (x + 10, 16)],
            series.colour.filled(),
        ))
        .map_err(drawing)?;
        area.draw_text(
            series.name,
            &("sans-serif", 11).into_font().color(&INK),
            (x + 14, 4),
        )
        .map_err(drawing)?;
        x += 40 + 7 * i32::try_from(series.name.len()).unwrap_or(0);
    }
    Ok(())
}
