//! The figures of a run as a picture: bars of CPU time a signature, ours and others'.

use std::fmt::Write;

use serde_json::Value;

/// What is shown, under which words.
const BARS: [(&str, &str); 8] = [
    (
        "an afternoon's signer, roots distinct",
        "axum + blst, every root new",
    ),
    ("every root new", "signerd, every root new"),
    (
        "an afternoon's signer, duties",
        "axum + blst, duties of 1,000 validators",
    ),
    (
        "the duties of 1,000 validators",
        "signerd, duties of 1,000 validators",
    ),
    ("one root, 10 keys", "signerd, one root, 10 keys"),
    ("one root, 100 keys", "signerd, one root, 100 keys"),
    ("one root, 1,000 keys", "signerd, one root, 1,000 keys"),
    ("50 requests/s", "signerd, 50 requests a second"),
];

const ROW_HEIGHT: f64 = 26.0;
const LABEL_WIDTH: f64 = 290.0;
const RAW_WIDTH: f64 = 260.0;
const WIDTH: f64 = 760.0;
const HEAD_HEIGHT: f64 = 56.0;

pub(crate) fn print_svg(file: &str) {
    let text = std::fs::read_to_string(file).expect("a file of figures");
    let figures: Value = serde_json::from_str(&text).expect("JSON");
    println!("{}", svg(&figures).expect("a string can be written to"));
}

fn svg(figures: &Value) -> Result<String, std::fmt::Error> {
    let mut svg = String::new();
    let [date, processor] =
        ["date", "processor"].map(|name| figures[name].as_str().unwrap_or_default());
    let height = HEAD_HEIGHT + ROW_HEIGHT * BARS.len() as f64 + 12.0;
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"14\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"16\" font-weight=\"bold\">CPU time of the server per signature</text>\n\
         <text x=\"12\" y=\"44\" fill=\"#57606a\">multiples of blst's own sign and compression (the line); \
         {date}, {processor}</text>"
    )?;
    for (number, (name, label)) in BARS.iter().enumerate() {
        let rows = figures["scenarios"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let Some(median) = rows
            .iter()
            .find(|row| row["name"] == *name)
            .and_then(|row| row["median"].as_f64())
        else {
            continue;
        };
        let top = HEAD_HEIGHT + ROW_HEIGHT * number as f64;
        let colour = if label.starts_with("signerd") {
            "#2da44e"
        } else {
            "#8c959f"
        };
        let width = median * RAW_WIDTH;
        writeln!(
            svg,
            "<text x=\"12\" y=\"{:.0}\">{label}</text>\n\
             <rect x=\"{LABEL_WIDTH}\" y=\"{:.0}\" width=\"{width:.0}\" height=\"18\" fill=\"{colour}\"/>\n\
             <text x=\"{:.0}\" y=\"{:.0}\">{median:.2}</text>",
            top + 17.0,
            top + 3.0,
            LABEL_WIDTH + width + 6.0,
            top + 17.0,
        )?;
    }
    let line = LABEL_WIDTH + RAW_WIDTH;
    write!(
        svg,
        "<line x1=\"{line}\" x2=\"{line}\" y1=\"{HEAD_HEIGHT}\" y2=\"{:.0}\" stroke=\"#cf222e\" \
         stroke-dasharray=\"4 3\"/>\n</svg>",
        height - 12.0
    )?;
    Ok(svg)
}
