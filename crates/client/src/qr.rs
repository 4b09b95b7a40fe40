//! QR codes of frames, as pictures that are printed or text that is shown.

use crate::exit::{Exit, Stop};
use fast_qr::{ECL, Mode, QRBuilder, QRCode};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Light modules around the code: what readers ask for.
const QUIET: usize = 4;
/// Pixels a module, in PNG.
const PIXELS: usize = 6;

/// Writes frames as QR codes, one file each, or gives them as text for a terminal; the names of what was written.
///
/// # Errors
/// When a file cannot be written, or its name says no format.
pub(crate) fn write(path: &Path, frames: &[String]) -> Result<Written, Stop> {
    let codes = frames.iter().map(|frame| code(frame)).collect::<Result<Vec<_>, _>>()?;
    if path.as_os_str() == "terminal" {
        let text: Vec<String> = codes.iter().map(terminal).collect();
        return Ok(Written::Text(text.join("\n")));
    }
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    let mut files = Vec::new();
    if kind == "txt" {
        let text = frames.join("\n") + "\n";
        fs::write(path, text).map_err(|why| Stop::file(path, why))?;
        return Ok(Written::Files(vec![path.to_owned()]));
    }
    for (number, code) in (1..).zip(&codes) {
        let bytes = match kind {
            "svg" => svg(code).into_bytes(),
            "png" => png(code),
            other => {
                let why = "a QR code is written as FILE.svg, FILE.png, FILE.txt or on the terminal";
                return Err(Stop::says(Exit::Usage, format!("{why}, not .{other}")));
            }
        };
        let file = if codes.len() == 1 {
            path.to_owned()
        } else {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!("{stem}-{number}-of-{}.{kind}", codes.len()))
        };
        fs::write(&file, bytes).map_err(|why| Stop::file(&file, why))?;
        files.push(file);
    }
    Ok(Written::Files(files))
}

/// Where the codes are.
pub(crate) enum Written {
    /// In these files.
    Files(Vec<PathBuf>),
    /// Here, to be shown.
    Text(String),
}

fn code(frame: &str) -> Result<QRCode, Stop> {
    let built = QRBuilder::new(frame).mode(Mode::Alphanumeric).ecl(ECL::M).build();
    let fault = |why| Stop::says(Exit::Usage, format!("a frame does not fit in a QR code: {why}"));
    built.map_err(fault)
}

/// Whether a module is dark; those around the code are light.
fn is_dark(code: &QRCode, row: usize, column: usize) -> bool {
    let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < code.size);
    match (inside(row), inside(column)) {
        (Some(row), Some(column)) => code[row][column].value(),
        (Some(_) | None, Some(_) | None) => false,
    }
}

/// A module is a third of a millimetre wide, which prints and scans well.
fn svg(code: &QRCode) -> String {
    let side = code.size + 2 * QUIET;
    let (whole, part) = (side / 3, side % 3 * 333);
    let mut path = String::new();
    for row in 0..side {
        let mut column = 0;
        while column < side {
            let run = (column..side).take_while(|at| is_dark(code, row, *at)).count();
            if run > 0 {
                write!(path, "M{column} {row}h{run}v1h-{run}z").expect("a String takes it");
            }
            column += run.max(1);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}.{part:03}mm\" \
         height=\"{whole}.{part:03}mm\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\"{path}\"/></svg>\n"
    )
}

/// Two rows of modules a line, light on dark as terminals are.
fn terminal(code: &QRCode) -> String {
    let side = code.size + 2 * QUIET;
    let mut text = String::new();
    for row in (0..side).step_by(2) {
        for column in 0..side {
            let light = |row| row >= side || !is_dark(code, row, column);
            text.push(match (light(row), light(row + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        text.push('\n');
    }
    text
}

/// A greyscale picture of one bit a pixel, its rows stored as they are.
fn png(code: &QRCode) -> Vec<u8> {
    let modules = code.size + 2 * QUIET;
    let side = u32::try_from(modules * PIXELS).expect("a code is small");
    let mut rows = Vec::new();
    for row in 0..modules * PIXELS {
        rows.push(0);
        let pixels: Vec<bool> =
            (0..modules * PIXELS).map(|at| !is_dark(code, row / PIXELS, at / PIXELS)).collect();
        rows.extend(pixels.chunks(8).map(|eight| {
            eight
                .iter()
                .enumerate()
                .fold(0u8, |byte, (at, light)| byte | u8::from(*light) << (7 - at))
        }));
    }
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&side.to_be_bytes()[..], &side.to_be_bytes(), &[1, 0, 0, 0, 0]].concat();
    chunk(&mut out, *b"IHDR", &header);
    chunk(&mut out, *b"IDAT", &stored(&rows));
    chunk(&mut out, *b"IEND", &[]);
    out
}

fn chunk(out: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    let length = u32::try_from(data.len()).expect("a picture is small");
    out.extend_from_slice(&length.to_be_bytes());
    let named = [&name[..], data].concat();
    out.extend_from_slice(&named);
    let mut crc = u32::MAX;
    for byte in named {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    out.extend_from_slice(&(!crc).to_be_bytes());
}

/// A zlib stream (RFC 1950) of stored blocks.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = data.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("blocks are cut so");
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    let (mut a, mut b) = (1u32, 0u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    out.extend_from_slice(&(b << 16 | a).to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_of_the_longest_proof_in_frames_fits_and_every_picture_shows_the_same() {
        let bytes = vec![0xa5; proof::FRAME_BYTES * proof::FRAMES_MAX];
        let frames = proof::frames(&bytes).unwrap();
        let code = code(frames.last().unwrap()).unwrap();
        // Version 27: 125 modules.
        assert_eq!(code.size, 125);
        let dark = |row: usize, column: usize| is_dark(&code, row + QUIET, column + QUIET);
        // The finder patterns, in three corners.
        for (row, column) in [(0, 0), (0, 118), (118, 0)] {
            assert!((0..7).all(|at| dark(row, column + at) && dark(row + at, column)));
            assert!(!dark(row + 1, column + 1) && dark(row + 3, column + 3));
        }
        let all = 125 * 125;
        let count = (0..125).flat_map(|row| (0..125).map(move |column| (row, column)));
        let count = count.filter(|(row, column)| dark(*row, *column)).count();
        assert!(count > all / 3 && count < all * 2 / 3);
        let text = terminal(&code);
        let light: usize = text
            .chars()
            .map(|c| match c {
                '█' => 2,
                '▀' | '▄' => 1,
                _ => 0,
            })
            .sum();
        // One row more than there is fills the last line.
        assert_eq!(light, 133 * 134 - count);
        let runs: usize = svg(&code)
            .split('h')
            .filter_map(|part| part.split('v').next()?.parse::<usize>().ok())
            .sum();
        assert_eq!(runs, count + 133, "dark modules, and the side of the white square");
        let picture = png(&code);
        assert!(picture.starts_with(b"\x89PNG") && picture.ends_with(b"IEND\xae\x42\x60\x82"));
    }
}
