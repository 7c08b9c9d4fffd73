//! Figures as inline SVG. Colours are written as fixed values, which the style sheet maps to those of the reader's
//! theme; text is written as text, so that any language shows and can be searched.

use plotters::{
    coord::{
        Shift,
        ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter},
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    axis::Axis,
    course::{Runs, most},
    document::Level,
};

/// How large a figure is drawn, pixels, and how many marks its time axis bears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    /// For a desk or hall screen, and print.
    Wide,
    /// For a phone.
    Narrow,
}

/// The colours that `report.css` knows by these values.
mod colour {
    use plotters::style::RGBColor;

    pub(super) const FIRST: RGBColor = RGBColor(0x0b, 0x6e, 0x69);
    pub(super) const SECOND: RGBColor = RGBColor(0x6a, 0x4f, 0xb5);
    pub(super) const BUSY: RGBColor = RGBColor(0xa0, 0x5a, 0x00);
    pub(super) const OVER: RGBColor = RGBColor(0xb3, 0x26, 0x1e);
    pub(super) const TEXT: RGBColor = RGBColor(0x56, 0x63, 0x5f);
    pub(super) const GRID: RGBColor = RGBColor(0xd5, 0xdc, 0xd9);
    pub(super) const BAND: RGBColor = RGBColor(0xee, 0xf2, 0xf1);
}

/// Height of text, pixels; plotters' unit is larger than SVG's by this factor.
const TEXT_PIXELS: f64 = 12.0 * 1.24;
const FONT: &str = "sans-serif";

/// The first line is filled, the second is not; `limit` is dashed.
pub(crate) struct TimeChart<'a> {
    pub(crate) axis: &'a Axis,
    pub(crate) lines: Vec<Runs>,
    /// What was planned.
    pub(crate) limit: Option<f64>,
    /// Form of the days' names, for `strftime`.
    pub(crate) day_form: &'a str,
}

/// A peak against a capacity.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) percent: f64,
    /// The figures, as text.
    pub(crate) says: String,
    pub(crate) level: Level,
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

impl TimeChart<'_> {
    /// The figure; empty when it cannot be drawn.
    pub(crate) fn svg(&self, size: Size) -> String {
        let dimensions = match size {
            Size::Wide => (1_000, 260),
            Size::Narrow => (380, 230),
        };
        drawn(dimensions, |root| self.draw(root, size))
    }

    fn draw(&self, root: &DrawingArea<SVGBackend<'_>, Shift>, size: Size) -> Drawn {
        let marks_max = match size {
            Size::Wide => 18,
            Size::Narrow => 6,
        };
        let largest = self.lines.iter().map(most).fold(self.limit.unwrap_or(0.0), f64::max);
        let top = if largest > 0.0 { largest * 1.15 } else { 1.0 };
        let length = self.axis.length();
        let marks = Hours { marks: self.axis.marks(marks_max), length };
        let mut chart = ChartBuilder::on(root)
            .margin_top(6)
            .margin_right(12)
            .x_label_area_size(24)
            .y_label_area_size(48)
            .build_cartesian_2d(marks, 0.0..top)?;
        for stretch in self.axis.stretches().iter().skip(1).step_by(2) {
            let corners = [(stretch.from, 0.0), (stretch.from + stretch.length(), top)];
            chart.draw_series([Rectangle::new(corners, colour::BAND.filled())])?;
        }
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(colour::GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(colour::GRID)
            .label_style(text_style(colour::TEXT))
            .y_labels(5)
            .x_labels(4 * marks_max)
            .y_label_formatter(&|value| short(*value, top))
            .draw()?;
        let name_place = |position: f64| (position, top);
        let names = self.axis.day_names(self.day_form);
        // On a narrow screen many days' names would lie over each other.
        let name_every =
            if size == Size::Narrow { names.len().div_ceil(4).max(1) } else { names.len().div_ceil(10).max(1) };
        for (position, name) in names.into_iter().step_by(name_every) {
            let dot = EmptyElement::at(name_place(position)) + Text::new(name, (4, 3), text_style(colour::TEXT));
            chart.draw_series([dot])?;
        }
        for (index, runs) in self.lines.iter().enumerate() {
            let line_colour = if index == 0 { colour::FIRST } else { colour::SECOND };
            for run in runs.iter().filter(|run| !run.is_empty()) {
                if index == 0 {
                    chart.draw_series(AreaSeries::new(run.iter().copied(), 0.0, line_colour.mix(0.18)))?;
                }
                chart.draw_series(LineSeries::new(run.iter().copied(), line_colour.stroke_width(2)))?;
                // A single point makes no line.
                if let [only] = run[..] {
                    chart.draw_series([Circle::new(only, 3, line_colour.filled())])?;
                }
            }
        }
        if let Some(limit) = self.limit {
            let ends = [(0.0, limit), (length, limit)];
            chart.draw_series(DashedLineSeries::new(ends, 7, 5, colour::BUSY.stroke_width(2)))?;
        }
        Ok(())
    }
}

/// Bars, one below the other, with their capacity as a line.
pub(crate) fn bars(bars: &[Bar], size: Size) -> String {
    let (width, row): (i32, i32) = match size {
        Size::Wide => (1_000, 26),
        Size::Narrow => (380, 44),
    };
    let height = row * i32::try_from(bars.len()).unwrap_or(i32::MAX / row) + 4;
    let largest = bars.iter().map(|bar| bar.percent).fold(100.0, f64::max);
    drawn((width.unsigned_abs(), height.unsigned_abs()), |root| {
        for (index, bar) in (0_i32..).zip(bars) {
            let top = index * row + 2;
            // Wide: name, bar, figures in one row. Narrow: the bar below its name and figures.
            let (from, to, bar_top) = match size {
                Size::Wide => (260, width - 190, top + 4),
                Size::Narrow => (0, width, top + 20),
            };
            let text_top = if size == Size::Wide { top + 13 } else { top + 8 };
            let scale = |percent: f64| from + ((to - from) as f64 * (percent / largest).clamp(0.0, 1.0)).round() as i32;
            let name_width = if size == Size::Wide { 250 } else { 210 };
            let left = text_style(colour::TEXT).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(cut(&bar.name, name_width), (0, text_top), left))?;
            root.draw(&Rectangle::new([(from, bar_top), (to, bar_top + 16)], colour::BAND.filled()))?;
            let bar_colour = match bar.level {
                Level::Calm => colour::FIRST,
                Level::Busy => colour::BUSY,
                Level::Over => colour::OVER,
            };
            root.draw(&Rectangle::new([(from, bar_top), (scale(bar.percent), bar_top + 16)], bar_colour.filled()))?;
            let limit = [(scale(100.0), bar_top - 2), (scale(100.0), bar_top + 18)];
            root.draw(&PathElement::new(limit, colour::TEXT.stroke_width(2)))?;
            let right = text_style(colour::TEXT).pos(Pos::new(HPos::Right, VPos::Center));
            root.draw(&Text::new(bar.says.clone(), (width, text_top), right))?;
        }
        Ok(())
    })
}

fn drawn(dimensions: (u32, u32), draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Drawn) -> String {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, dimensions).into_drawing_area();
        if draw(&root).and_then(|()| Ok(root.present()?)).is_err() {
            return String::new();
        }
    }
    svg
}

fn text_style(colour: RGBColor) -> TextStyle<'static> {
    (FONT, TEXT_PIXELS).into_font().color(&colour)
}

/// A number of the vertical axis; `top` decides how many digits tell the marks apart.
fn short(value: f64, top: f64) -> String {
    match top {
        _ if value >= 1_000_000.0 => format!("{:.1}M", value / 1_000_000.0),
        _ if value >= 10_000.0 => format!("{:.0}k", value / 1_000.0),
        _ if top < 1.0 => format!("{value:.2}"),
        _ if top < 8.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// As much of a name as fits, about; East Asian characters are twice as wide.
fn cut(name: &str, pixels: usize) -> String {
    let wide = |character: char| if u32::from(character) >= 0x1100 { 13 } else { 7 };
    let mut left = pixels;
    let mut kept = String::new();
    for character in name.chars() {
        let Some(rest) = left.checked_sub(wide(character)) else { return kept + "…" };
        left = rest;
        kept.push(character);
    }
    kept
}

/// The horizontal coordinate: positions of an [`Axis`], marked at round hours.
struct Hours {
    marks: Vec<(f64, String)>,
    length: f64,
}

impl Ranged for Hours {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + ((limit.1 - limit.0) as f64 * value / self.length.max(1.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.marks.iter().map(|mark| mark.0).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        0.0..self.length
    }
}

impl ValueFormatter<f64> for Hours {
    fn format_ext(&self, value: &f64) -> String {
        self.marks.iter().find(|mark| mark.0 == *value).map(|mark| mark.1.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_by_width() {
        let table =
            [("ap-4f-1", 70, "ap-4f-1"), ("ap-4f-12", 49, "ap-4f-1…"), ("展示ホール", 39, "展示ホ…"), ("", 10, "")];
        for (name, pixels, want) in table {
            assert_eq!(cut(name, pixels), want);
        }
    }

    #[test]
    fn marks_of_the_vertical_axis() {
        let table =
            [(0.25, 0.9, "0.25"), (2.5, 4.0, "2.5"), (40.0, 90.0, "40"), (12_000.0, 1.5e4, "12k"), (2e6, 3e6, "2.0M")];
        for (value, top, want) in table {
            assert_eq!(short(value, top), want);
        }
    }
}
