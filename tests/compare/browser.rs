//! A report as a browser has it: what it drew, how wide it is, what it complained of.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use xtask::programs;

/// What one frame saw of the page.
#[derive(Debug, Deserialize)]
pub struct Frame {
    /// Of the frame.
    pub width: u32,
    /// Of the page: more, and it scrolls sideways.
    pub scroll_width: u32,
    /// The back's red, green and blue together.
    pub brightness: u32,
    /// For each curve and line, how many pixels have its colour.
    pub drawn: Vec<(String, u32)>,
    /// The least width of a bar's part.
    pub bar_width_least: Option<f64>,
    /// Whatever was asked for besides the page.
    pub resources: Vec<String>,
}

/// What a page came to.
#[derive(Debug)]
pub struct Opened {
    pub frames: Vec<Frame>,
    /// Whatever went to the console.
    pub console: Vec<String>,
}

/// Looks at the page from within, once it is drawn.
const PROBE: &str = r"<script>
addEventListener('load', () => setTimeout(async () => {
  const style = getComputedStyle(document.documentElement);
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const curves = JSON.parse(document.getElementById('curves').textContent);
  const image = (id) => {
    const canvas = document.querySelector(`#${id} canvas`);
    if (canvas === null) return [];
    const { width, height } = canvas;
    const copy = new OffscreenCanvas(width, height);
    const context = copy.getContext('2d', { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    return context.getImageData(0, 0, width, height).data;
  };
  const pixels = (data, colour) => {
    let found = 0;
    for (let at = 0; at < data.length; at += 4) {
      const near = colour.every((part, place) => Math.abs(part - data[at + place]) < 24);
      if (near && data[at + 3] > 200) found += 1;
    }
    return found;
  };
  const frame = () => new Promise((done) => setTimeout(done, 60));
  // One line may lie on another: each is looked at alone, as a click with Ctrl on its name has it.
  const drawn = [];
  for (const [id, { lines }] of Object.entries(curves)) {
    const rows = document.querySelectorAll(`#${id} .u-series`);
    for (const [place, line] of lines.entries()) {
      const name = rows[1 + 3 * place]?.querySelector('th');
      const click = () => name?.dispatchEvent(new MouseEvent('click', { ctrlKey: true }));
      click();
      await frame();
      const colour = rgb(style.getPropertyValue(line.colour).trim());
      drawn.push([`${id}: ${line.name}`, pixels(image(id), colour)]);
      click();
      await frame();
    }
  }
  const bars = [...document.querySelectorAll('.track i')].map((bar) => bar.clientWidth);
  const back = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
  parent.postMessage({
    width: innerWidth,
    scroll_width: document.documentElement.scrollWidth,
    brightness: back.slice(0, 3).reduce((sum, part) => sum + part, 0),
    drawn,
    bar_width_least: bars.length === 0 ? null : Math.min(...bars),
    resources: performance.getEntriesByType('resource').map(({ name }) => name),
  }, '*');
}, 500));
</script>";

/// Two frames of it, as wide as a desk's screen and as a phone's.
const WRAPPER: &str = r#"<!doctype html><meta name="color-scheme" content="light dark"><body>
<script>
addEventListener('message', ({ data }) => {
  const seen = document.createElement('pre');
  seen.textContent = `SEEN ${JSON.stringify(data)} NEES`;
  document.body.append(seen);
});
</script>
<iframe src="page.html" width="1280" height="900"></iframe>
<iframe src="page.html" width="390" height="844"></iframe>"#;

/// Opens `html` in a headless Chromium, a new one each time.
pub fn open(html: &str, is_dark: bool) -> Opened {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("page.html"), format!("{html}{PROBE}")).unwrap();
    let wrapper = folder.path().join("wrapper.html");
    fs::write(&wrapper, WRAPPER).unwrap();
    let output = chromium(folder.path(), is_dark)
        .arg(format!("file://{}", wrapper.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let console = said.lines().filter(|line| line.contains("CONSOLE"));
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let seen = dom.split("<pre>SEEN ").skip(1);
    let frames = seen.map(|rest| {
        let json = rest.split(" NEES").next().unwrap_or_default();
        let json = json
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&");
        serde_json::from_str(&json).unwrap()
    });
    Opened {
        frames: frames.collect(),
        console: console.map(str::to_owned).collect(),
    }
}

fn chromium(folder: &Path, is_dark: bool) -> Command {
    let mut chromium = Command::new(programs::chromium().unwrap());
    chromium
        // As root it runs without its sandbox or not at all; the page is ours.
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .args([
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
        ])
        .args([
            "--window-size=1400,2000",
            "--virtual-time-budget=8000",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        // The browser itself has errands, too.
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .stdin(Stdio::null());
    if is_dark {
        chromium.arg("--blink-settings=preferredColorScheme=0");
    }
    chromium
}

/// What is wrong with it, in words that tell the faults apart.
pub fn faults(opened: &Opened, lines: usize) -> Vec<String> {
    let mut faults = Vec::new();
    faults.extend(opened.console.iter().map(|line| format!("console: {line}")));
    let widths: Vec<u32> = opened.frames.iter().map(|frame| frame.width).collect();
    let mut sorted = widths.clone();
    sorted.sort_unstable();
    if sorted != [390, 1280] {
        faults.push(format!("frames: {widths:?}"));
    }
    for frame in &opened.frames {
        let at = frame.width;
        if frame.scroll_width > frame.width {
            faults.push(format!("width: {} at {at}", frame.scroll_width));
        }
        if frame.drawn.len() != lines {
            faults.push(format!("lines: {:?} at {at}", frame.drawn));
        }
        let missing = frame.drawn.iter().filter(|(_, pixels)| *pixels < 20);
        faults.extend(missing.map(|(line, pixels)| format!("drawn: {line}, {pixels} at {at}")));
        if frame.bar_width_least.is_none_or(|width| width < 1.0) {
            faults.push(format!("bars: {:?} at {at}", frame.bar_width_least));
        }
        faults.extend(frame.resources.iter().map(|url| format!("network: {url}")));
    }
    faults
}
