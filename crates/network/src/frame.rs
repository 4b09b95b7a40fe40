//! A message on a stream: four bytes of length, little-endian, then as many bytes.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Memory is taken as bytes arrive, at most this much ahead of them.
const STEP_BYTES: usize = 64 << 10;

/// Why no message came.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The stream ended.
    Broken(io::Error),
    /// The header claims nothing, or more than the channel allows.
    Claimed(u32),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Reads one message of 1 to `bytes_max` bytes. The claim is checked before memory is taken for it, and `alive` is called
/// whenever some of it has arrived.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
    alive: impl Fn(),
) -> Result<Vec<u8>, Unread> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await?;
    let claimed = u32::from_le_bytes(header);
    let length = match usize::try_from(claimed) {
        Ok(length) if length > 0 && length <= bytes_max => length,
        Ok(_) | Err(_) => return Err(Unread::Claimed(claimed)),
    };
    let mut message = Vec::with_capacity(length.min(STEP_BYTES));
    while message.len() < length {
        let filled = message.len();
        message.resize(length.min(filled + STEP_BYTES), 0);
        let read = stream.read(&mut message[filled..]).await?;
        if read == 0 {
            return Err(Unread::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        message.truncate(filled + read);
        alive();
    }
    Ok(message)
}

/// Writes one message, without flushing.
pub(crate) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(message.len())
        .map_err(|long| io::Error::new(io::ErrorKind::InvalidInput, long))?;
    stream.write_all(&length.to_le_bytes()).await?;
    stream.write_all(message).await
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    async fn check(bytes: &[u8], bytes_max: usize, expected: &str) {
        let told = match read(&mut Cursor::new(bytes), bytes_max, || ()).await {
            Ok(message) => format!("message of {}", message.len()),
            Err(Unread::Broken(error)) => format!("broken: {:?}", error.kind()),
            Err(Unread::Claimed(claimed)) => format!("claims {claimed}"),
        };
        assert_eq!(told, expected, "{} bytes, at most {bytes_max}", bytes.len());
    }

    #[tokio::test]
    async fn headers_are_believed_only_within_bounds() {
        check(b"", 8, "broken: UnexpectedEof").await;
        check(b"\x03\0\0", 8, "broken: UnexpectedEof").await;
        check(b"\0\0\0\0", 8, "claims 0").await;
        check(b"\x09\0\0\x00123456789", 8, "claims 9").await;
        check(b"\xff\xff\xff\xff", 4 << 20, "claims 4294967295").await;
        check(b"\x08\0\0\x001234567", 8, "broken: UnexpectedEof").await;
        check(b"\x08\0\0\x0012345678", 8, "message of 8").await;
        check(b"\x08\0\0\x0012345678tail", 8, "message of 8").await;
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        for length in [1, 2, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 4 << 20] {
            let message: Vec<u8> = (0_u8..251).cycle().take(length).collect();
            let mut wire = Cursor::new(Vec::new());
            write(&mut wire, &message).await.unwrap();
            wire.set_position(0);
            assert_eq!(read(&mut wire, length, || ()).await.unwrap(), message);
        }
    }

    /// Bytes that arrive in pieces of these lengths, in turn.
    struct Pieces<'a> {
        bytes: &'a [u8],
        lengths: std::iter::Cycle<std::vec::IntoIter<usize>>,
    }

    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            into: &mut [u8],
        ) -> std::task::Poll<io::Result<usize>> {
            let length = self.lengths.next().unwrap_or(1);
            let length = length.min(into.len()).min(self.bytes.len());
            let (piece, rest) = self.bytes.split_at(length);
            into[..length].copy_from_slice(piece);
            self.bytes = rest;
            std::task::Poll::Ready(Ok(length))
        }
    }

    /// What a stream says, taken at its word from one piece of memory.
    fn sliced(mut bytes: &[u8], bytes_max: usize) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let Some((header, rest)) = bytes.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*header) as usize;
            if length == 0 || length > bytes_max || length > rest.len() {
                break;
            }
            messages.push(rest[..length].to_vec());
            bytes = &rest[length..];
        }
        messages
    }

    #[tokio::test]
    async fn any_bytes_in_any_pieces_are_read_as_what_they_say() {
        const BYTES_MAX: usize = 300;
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut draw = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let (mut whole, mut broken) = (0, 0);
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..draw(4) {
                // Mostly what a neighbour would say, or nearly; now and then a claim of anything.
                let length = draw(320);
                let claim = match draw(6) {
                    0 => u32::try_from(draw(1 << 32)).unwrap(),
                    1 => u32::try_from(length + 1).unwrap(),
                    _ => u32::try_from(length).unwrap(),
                };
                bytes.extend(claim.to_le_bytes());
                bytes.extend((0..length).map(|_| u8::try_from(draw(256)).unwrap()));
            }
            let cut = usize::try_from(draw(bytes.len() as u64 + 20)).unwrap();
            bytes.truncate(cut);
            let lengths: Vec<_> = (0..7).map(|_| 1 + usize::try_from(draw(200)).unwrap()).collect();
            let mut pieces = Pieces { bytes: &bytes, lengths: lengths.into_iter().cycle() };
            let mut messages = Vec::new();
            while let Ok(message) = read(&mut pieces, BYTES_MAX, || ()).await {
                messages.push(message);
            }
            assert_eq!(messages, sliced(&bytes, BYTES_MAX), "{bytes:?}");
            let taken: usize = messages.iter().map(|message| 4 + message.len()).sum();
            if taken == bytes.len() { whole += 1 } else { broken += 1 }
        }
        assert!(whole > 1000 && broken > 1000, "{whole} {broken}");
    }

    #[tokio::test]
    async fn a_header_alone_takes_no_memory_to_speak_of() {
        let mut wire = Cursor::new((4_u32 << 20).to_le_bytes());
        let unread = read(&mut wire, 4 << 20, || ()).await.unwrap_err();
        assert!(matches!(unread, Unread::Broken(_)));
    }
}
