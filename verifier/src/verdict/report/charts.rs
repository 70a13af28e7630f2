//! Charts as SVG text, drawn by plotters. Colours are fixed here and renamed to theme colours by the page's style.

use super::duration;
use super::pictures::Pictures;
use crate::verdict::outcome::Stage;
use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Text and axes; the page's style maps it to the theme's ink.
pub(super) const INK: RGBColor = RGBColor(31, 35, 40);
/// Grid lines; mapped to the theme's hair lines.
pub(super) const GRID: RGBColor = RGBColor(208, 215, 222);
/// Okabe and Ito's colours, told apart without colour vision (jfly.uni-koeln.de/color).
pub(super) const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(128, 128, 128),
];

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const WIDTH: u32 = 720;

pub(super) fn draw(height: u32, fill: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        fill(&area)?;
        area.present().map_err(|e| anyhow!("cannot draw: {e}"))?;
    }
    // The page scales it: a view box instead of a fixed size.
    let fixed = format!("<svg width=\"{WIDTH}\" height=\"{height}\"");
    Ok(svg.replacen(&fixed, "<svg role=\"img\"", 1))
}

pub(super) fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

/// A figure of a stage, in milliseconds.
type Figure = fn(&Stage) -> Option<f64>;
/// A count of a second.
type Count = fn(&super::Second) -> u64;

/// Percentiles of latency per stage, as bars on a logarithmic axis.
pub(super) fn latency_by_stage(stages: &[Stage]) -> Result<String> {
    let columns: [(&str, Figure); 4] = [
        ("p50", |s| s.latency_ms.p50),
        ("p90", |s| s.latency_ms.p90),
        ("p99", |s| s.latency_ms.p99),
        ("p99.9", |s| s.latency_ms.p999),
    ];
    let values = || {
        stages
            .iter()
            .flat_map(|s| columns.iter().filter_map(|(_, of)| of(s)))
    };
    let (low, high) = decades(values());
    draw(300, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_top(30)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..stages.len() as f64, (low..high).log_scale())
            .map_err(drawing)?;
        mesh(&mut chart, |_| String::new())?;
        for (at, stage) in stages.iter().enumerate() {
            for (column, (_, of)) in columns.iter().enumerate() {
                let Some(value) = of(stage) else { continue };
                let left = at as f64 + 0.1 + 0.2 * column as f64;
                let bar = Rectangle::new(
                    [(left, low), (left + 0.18, value)],
                    COLOURS[column].filled(),
                );
                chart.draw_series([bar]).map_err(drawing)?;
            }
            let centre = chart.backend_coord(&(at as f64 + 0.5, low));
            let label = text(13).pos(Pos::new(HPos::Center, VPos::Top));
            area.draw_text(&stage.name, &label, (centre.0, centre.1 + 8))
                .map_err(drawing)?;
        }
        legend(area, columns.iter().map(|(name, _)| (*name).to_owned()))
    })
}

/// Latency over percentiles, one line per stage, the horizontal axis stretched towards 100 %.
pub(super) fn spectrum(pictures: &Pictures) -> Result<String> {
    let spectra: Vec<_> = pictures
        .spectra
        .iter()
        .filter(|s| s.points.len() > 1)
        .collect();
    let (low, high) = decades(
        spectra
            .iter()
            .flat_map(|s| s.points.iter().map(|(_, ms)| *ms)),
    );
    let nines = |p: f64| -(1.0 - p).log10();
    let last = spectra
        .iter()
        .filter_map(|s| s.points.last())
        .map(|(p, _)| nines(*p))
        .fold(2.0, f64::max);
    draw(320, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_top(30)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..last, (low..high).log_scale())
            .map_err(drawing)?;
        mesh(&mut chart, |x| {
            let p = 100.0 * (1.0 - 10_f64.powf(-x));
            if x.fract() == 0.0 {
                format!("{p:.*} %", (*x as usize).saturating_sub(2))
            } else {
                String::new()
            }
        })?;
        for (at, spectrum) in spectra.iter().enumerate() {
            let points = spectrum.points.iter().map(|(p, ms)| (nines(*p), *ms));
            let style = COLOURS[at % COLOURS.len()].stroke_width(2);
            chart
                .draw_series(LineSeries::new(points, style))
                .map_err(drawing)?;
        }
        legend(area, spectra.iter().map(|s| s.stage.clone()))
    })
}

/// Answers and failures per second, with the stages' begins.
pub(super) fn throughput(pictures: &Pictures) -> Result<String> {
    let first = pictures.seconds.first().map_or(0.0, |s| s.at as f64);
    let last = pictures.seconds.last().map_or(1.0, |s| s.at as f64 + 1.0);
    let most = pictures
        .seconds
        .iter()
        .map(|s| s.answered.max(s.failed))
        .max()
        .unwrap_or(0)
        .max(1) as f64
        * 1.15;
    draw(280, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_top(30)
            .x_label_area_size(28)
            .y_label_area_size(64)
            .build_cartesian_2d(first..last, 0.0..most)
            .map_err(drawing)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(text(12))
            .x_label_formatter(&|x| format!("{x:.0} s"))
            .y_label_formatter(&|y| super::grouped(*y as u64))
            .draw()
            .map_err(drawing)?;
        for (name, at) in &pictures.stage_starts {
            chart
                .draw_series([PathElement::new(
                    [(*at, 0.0), (*at, most)],
                    GRID.stroke_width(2),
                )])
                .map_err(drawing)?;
            let place = chart.backend_coord(&(*at, most));
            area.draw_text(name, &text(11), (place.0 + 4, place.1 + 2))
                .map_err(drawing)?;
        }
        let series: [(Count, RGBColor); 2] =
            [(|s| s.answered, COLOURS[0]), (|s| s.failed, COLOURS[3])];
        for (of, colour) in series {
            let points = pictures
                .seconds
                .iter()
                .map(|s| (s.at as f64 + 0.5, of(s) as f64));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)))
                .map_err(drawing)?;
        }
        Ok(())
    })
}

/// The parts of the latency, the median's band above the slowest hundredth, for each stage.
pub(super) fn attribution(stages: &[Stage]) -> Result<Option<String>> {
    let stages: Vec<_> = stages
        .iter()
        .filter_map(|s| Some((s.name.as_str(), s.tail.as_ref()?)))
        .collect();
    let Some((_, first)) = stages.first() else {
        return Ok(None);
    };
    let longest = stages
        .iter()
        .map(|(_, tail)| tail.p99_band_ms.max(tail.p50_band_ms))
        .fold(0.0, f64::max);
    let height = 60 + 66 * u32::try_from(stages.len()).unwrap_or(1);
    let svg = draw(height, |area| {
        let left = 190;
        let right = f64::from(WIDTH - 90);
        let scale = (right - f64::from(left)) / longest.max(1e-9);
        for (row, (name, tail)) in stages.iter().enumerate() {
            for (band, total) in [tail.p50_band_ms, tail.p99_band_ms].into_iter().enumerate() {
                let top = 40 + 66 * row as i32 + 26 * band as i32;
                let label = format!("{name}, {}", ["median", "slowest 1 %"][band]);
                let anchored = text(12).pos(Pos::new(HPos::Right, VPos::Center));
                area.draw_text(&label, &anchored, (left - 8, top + 10))
                    .map_err(drawing)?;
                let mut x = f64::from(left);
                for (place, part) in tail.parts.iter().enumerate() {
                    // A mean may be a hair below zero where two clocks round, and far below where a
                    // sender's times are wrong; a bar can not, nor leave the page.
                    let width = [part.p50_band_ms, part.p99_band_ms][band] * scale;
                    let width = width.min(right - x).max(0.0);
                    let bar = Rectangle::new(
                        [(x as i32, top), ((x + width) as i32, top + 20)],
                        COLOURS[place % 7].filled(),
                    );
                    area.draw(&bar).map_err(drawing)?;
                    x += width;
                }
                let anchored = text(12).pos(Pos::new(HPos::Left, VPos::Center));
                area.draw_text(&duration(total), &anchored, (x as i32 + 6, top + 10))
                    .map_err(drawing)?;
            }
        }
        legend(
            area,
            first.parts.iter().map(|part| part.name.replace('_', " ")),
        )
    })?;
    Ok(Some(svg))
}

type LogChart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<
        plotters::coord::types::RangedCoordf64,
        plotters::coord::combinators::LogCoord<f64>,
    >,
>;

fn mesh(chart: &mut LogChart<'_, '_>, x_label: impl Fn(&f64) -> String) -> Result<()> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style(text(12))
        .x_label_formatter(&|x| x_label(x))
        .y_label_formatter(&|ms| duration(*ms))
        .draw()
        .map_err(drawing)
}

fn legend(area: &Area<'_>, names: impl Iterator<Item = String>) -> Result<()> {
    let mut x = 16;
    for (at, name) in names.enumerate() {
        area.draw(&Rectangle::new(
            [(x, 6), (x + 12, 18)],
            COLOURS[at % COLOURS.len()].filled(),
        ))
        .map_err(drawing)?;
        area.draw_text(&name, &text(12), (x + 17, 5))
            .map_err(drawing)?;
        x += 36 + 6 * i32::try_from(name.chars().count()).unwrap_or(0);
    }
    Ok(())
}

/// A logarithmic axis that holds all values, from a decade to a decade.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
    for value in values.filter(|v| *v > 0.0) {
        (low, high) = (low.min(value), high.max(value));
    }
    if high == 0.0 {
        return (0.1, 10.0);
    }
    (
        10_f64.powf(low.log10().floor()),
        10_f64.powf((high.log10() + 0.02).ceil()),
    )
}

pub(super) fn drawing(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}
