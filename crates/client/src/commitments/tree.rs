//! A file of digests, read once in bounded memory: its lines, its own digest, and the tree over the lines.

use crate::{
    exit::Stop,
    speech::{Lang, say},
};
use proof::{CHUNK, line_leaf, root_of_chunks};
use std::{fs::File, io::Read as _, path::Path, thread};
use types::{
    Digest, Hash,
    bulk::LINES_MAX,
    hash::Digester,
    merkle::{self, Rfc6962},
};

/// A line: 64 digits and its end.
pub(super) const LINE_BYTES: usize = 65;

/// Lines of a piece that is held at one time, in whole chunks: about 8 MiB.
const PIECE_CHUNKS: usize = 32;

/// A file of digests, all of it seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) lines: u64,
    pub(super) root: Hash,
    pub(super) document: Digest,
    pub(super) chunks: Vec<Hash>,
}

/// What is wrong with a file of digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has no line.
    Empty,
    /// This line, from 1, is not a digest.
    Line(u64),
    /// It has more than a batch may have.
    TooMany,
}

impl Fault {
    pub(super) fn words(self, lang: Lang) -> String {
        match self {
            Self::Empty => say!(lang, "there is no line in it", "文件为空"),
            Self::Line(number) => say!(
                lang,
                "line {number} is not 64 lower-case hexadecimal digits and a line end (LF); every line is the digest of one \
                 salted record, and nothing else is in the file",
                "第 {number} 行不是 64 位小写十六进制数字加换行(LF)；每行应为一条加盐记录的摘要，不得有其他内容"
            ),
            Self::TooMany => say!(
                lang,
                "it has more than {LINES_MAX} lines; split it",
                "超过 {LINES_MAX} 行，请拆分"
            ),
        }
    }
}

impl Tree {
    /// Reads a file: on as many threads as there are, a piece at a time.
    ///
    /// # Errors
    /// When it cannot be read. What is wrong with its lines is no error.
    pub(super) fn build(path: &Path) -> Result<Result<Self, Fault>, Stop> {
        let fault = |why| Stop::file(path, why);
        let mut file = File::open(path).map_err(fault)?;
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let (mut digester, mut lines, mut chunks) = (Digester::default(), 0_u64, Vec::new());
        let mut piece = vec![0; PIECE_CHUNKS * CHUNK * LINE_BYTES];
        loop {
            let mut filled = read(&mut file, &mut piece).map_err(fault)?;
            if filled == 0 {
                break;
            }
            let last = filled < piece.len();
            let seen = filled;
            // The end of the last line may be missing.
            if filled % LINE_BYTES == LINE_BYTES - 1 {
                piece[filled] = b'\n';
                filled += 1;
            }
            let whole = &piece[..filled];
            let groups: Vec<&[u8]> = whole.chunks(CHUNK * LINE_BYTES).collect();
            let share = groups.len().div_ceil(workers).max(1);
            let done: Vec<Result<Hash, usize>> = thread::scope(|scope| {
                let digests = scope.spawn(|| digester.update(&whole[..seen]));
                let work: Vec<_> = groups
                    .chunks(share)
                    .map(|mine| scope.spawn(move || mine.iter().map(|c| chunk(c)).collect()))
                    .collect();
                let results: Vec<Vec<Result<Hash, usize>>> = work
                    .into_iter()
                    .map(|one| one.join().expect("hashing does not fail"))
                    .collect();
                digests.join().expect("hashing does not fail");
                results.concat()
            });
            for (at, one) in done.into_iter().enumerate() {
                match one {
                    Ok(root) => chunks.push(root),
                    Err(within) => {
                        let before = u64::try_from(at * CHUNK + within).unwrap_or(u64::MAX);
                        return Ok(Err(Fault::Line(lines + before + 1)));
                    }
                }
            }
            lines += u64::try_from(filled / LINE_BYTES).unwrap_or(u64::MAX);
            if lines > LINES_MAX {
                return Ok(Err(Fault::TooMany));
            }
            if last {
                break;
            }
        }
        if lines == 0 {
            return Ok(Err(Fault::Empty));
        }
        let root = root_of_chunks(&chunks);
        Ok(Ok(Self { lines, root, document: digester.finish(), chunks }))
    }
}

/// Fills a piece as far as the file goes.
fn read(file: &mut File, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < piece.len() {
        match file.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(why) if why.kind() == std::io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(filled)
}

/// The root of a chunk's lines, or the first line that is none.
fn chunk(bytes: &[u8]) -> Result<Hash, usize> {
    let leaves: Vec<Hash> = lines(bytes)?.iter().map(line_leaf).collect();
    Ok(merkle::root::<Rfc6962>(&leaves))
}

/// The lines of a chunk, or the first that is none.
pub(super) fn lines(bytes: &[u8]) -> Result<Vec<Hash>, usize> {
    let all = bytes.chunks(LINE_BYTES).enumerate();
    all.map(|(at, line)| digest(line).ok_or(at)).collect()
}

fn digest(line: &[u8]) -> Option<Hash> {
    let (digits, b"\n") = line.split_at_checked(LINE_BYTES - 1)? else { return None };
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(Hash(out))
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn file(name: &str, text: &[u8]) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("minlian-tree-{name}-{}", std::process::id()));
        fs::write(&path, text).unwrap();
        path
    }

    fn build(name: &str, text: &[u8]) -> Result<Tree, Fault> {
        let path = file(name, text);
        let built = Tree::build(&path).unwrap();
        fs::remove_file(path).unwrap();
        built
    }

    fn text(count: usize) -> String {
        (0..count)
            .map(|n| {
                format!("{}\n", Digest::blake3(&n.to_le_bytes()).to_string().replace("blake3:", ""))
            })
            .collect()
    }

    #[test]
    fn a_file_is_one_tree_however_it_is_read() {
        for count in [1, 2, CHUNK, CHUNK + 1, PIECE_CHUNKS * CHUNK, PIECE_CHUNKS * CHUNK + 3] {
            let text = text(count);
            let leaves: Vec<Hash> =
                text.lines().map(|line| line_leaf(&line.parse().unwrap())).collect();
            let tree = build("whole", text.as_bytes()).unwrap();
            assert_eq!(tree.root, merkle::root::<Rfc6962>(&leaves), "{count}");
            assert_eq!(tree.lines, count as u64);
            assert_eq!(tree.document, Digest::blake3(text.as_bytes()));
            // Without the last line's end it is another file with the same lines.
            let other = build("open", text.trim_end().as_bytes()).unwrap();
            assert_eq!((other.root, other.lines), (tree.root, tree.lines));
            assert_ne!(other.document, tree.document);
        }
    }

    #[test]
    fn what_is_no_digest_is_named_by_its_line() {
        let good = text(CHUNK + 10);
        let spoil = |line: usize, with: &str| {
            let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
            lines[line] = with.to_owned();
            lines.join("\n") + "\n"
        };
        let upper = good.lines().next().unwrap().to_uppercase();
        for (document, want) in [
            (String::new(), Fault::Empty),
            ("\n".into(), Fault::Line(1)),
            (spoil(0, &upper), Fault::Line(1)),
            (spoil(CHUNK + 4, "short"), Fault::Line((CHUNK + 5) as u64)),
            (spoil(7, &"0".repeat(65)), Fault::Line(8)),
            (good.replace('\n', "\r\n"), Fault::Line(1)),
            (format!("{good}x"), Fault::Line((CHUNK + 11) as u64)),
        ] {
            assert_eq!(build("spoilt", document.as_bytes()), Err(want));
        }
    }
}
