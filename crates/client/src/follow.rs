//! Blocks and records as they come, from where one left off: no gap and no repetition, whatever happens to the line.
//!
//! A follower is a place in the chain. It asks for everything from that place on, moves it with every event, and asks again
//! from there when the line breaks or falls silent; so it always knows its place before the first event, too.

use crate::{
    api::{BlockRow, RecordView, Wanted},
    http::{Client, ClientError, PAUSE_MAX, Patience},
};
use core::marker::PhantomData;
use reqwest::Response;
use serde::de::DeserializeOwned;
use std::time::Duration;
use types::Height;

/// A node says something every fifteen seconds. A line on which nothing comes for this long is gone.
const SILENCE: Duration = Duration::from_secs(45);

/// The longest event that is read, bytes: a record with its operation is a few kilobytes.
const EVENT_BYTES_MAX: usize = 4 << 20;

/// One who follows a node. What it takes is in order, each once.
#[derive(Debug)]
pub struct Follower<T> {
    client: Client,
    patience: Patience,
    what: What,
    /// The height or position of what comes next.
    next: u64,
    line: Option<Line>,
    takes: PhantomData<fn() -> T>,
}

/// What is followed.
#[derive(Debug)]
enum What {
    Blocks,
    Records(Wanted),
}

/// An open line, and what of it is not taken yet.
#[derive(Debug)]
struct Line {
    answer: Response,
    unread: Vec<u8>,
}

/// What came.
struct Event {
    id: u64,
    data: String,
}

impl Client {
    /// Follows the blocks from this height on, which may be one to come. A program that goes on where it stopped gives
    /// [`Follower::next_place`] of then.
    #[must_use]
    pub fn follow_blocks(&self, from: Height) -> Follower<BlockRow> {
        Follower::new(self, What::Blocks, from.0.max(1))
    }

    /// Follows the records that are wanted from this position of the log on, which may be one to come; of `wanted` only
    /// `kind`, `agency` and `subject` count. A program that goes on where it stopped gives [`Follower::next_place`] of then.
    #[must_use]
    pub fn follow_records(&self, wanted: Wanted, from: u64) -> Follower<RecordView> {
        let Wanted { kind, agency, subject, .. } = wanted;
        let wanted = Wanted { kind, agency, subject, ..Wanted::default() };
        Follower::new(self, What::Records(wanted), from)
    }
}

impl<T: DeserializeOwned> Follower<T> {
    fn new(client: &Client, what: What, next: u64) -> Self {
        let (client, patience) = (client.clone(), Patience::default());
        Self { client, patience, what, next, line: None, takes: PhantomData }
    }

    /// The same, which waits as long as `patience` for a node that is away.
    #[must_use]
    pub const fn patient(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Where it is: the height or position from which another follower would go on.
    #[must_use]
    pub const fn next_place(&self) -> u64 {
        self.next
    }

    /// The next block or record, when there is one. It may be dropped while it waits, as in `select!`: nothing is lost.
    ///
    /// # Errors
    /// When the node is away for longer than the patience is, or does not answer like a node. It may be asked again, and goes
    /// on where it was.
    pub async fn next(&mut self) -> Result<T, ClientError> {
        let (mut pause, mut spent) = (self.patience.first, Duration::ZERO);
        loop {
            let why = match self.event().await {
                // What was told before the place that was asked for, and before the line broke, was taken then.
                Ok(event) if event.id < self.next => continue,
                Ok(event) => {
                    let taken = self.take(&event);
                    // What was not taken is asked for again, or it would be left out.
                    if taken.is_err() {
                        self.line = None;
                    }
                    return taken;
                }
                Err(why) => why,
            };
            self.line = None;
            let asked =
                if let ClientError::Busy { retry_after, .. } = &why { *retry_after } else { None };
            let length = asked.unwrap_or(pause).max(self.patience.first).min(PAUSE_MAX);
            if !why.is_passing() || spent + length > self.patience.total {
                return Err(why);
            }
            let ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
            tracing::debug!(node = self.client.url(), next = self.next, ms, %why, "following again after a pause");
            tokio::time::sleep(length).await;
            spent += length;
            pause = (pause * 2).min(self.patience.longest);
        }
    }

    /// What an event says, if it is the one that comes next.
    fn take(&mut self, event: &Event) -> Result<T, ClientError> {
        let everything = match &self.what {
            What::Blocks => true,
            What::Records(wanted) => *wanted == Wanted::default(),
        };
        // Whoever wants everything is told of everything; a hole is the node's fault, and asking it again tells nothing else.
        if everything && event.id != self.next {
            let why = format!("it leaves out what is between {} and {}", self.next, event.id);
            return Err(self.client.strange(&why));
        }
        let told = serde_json::from_str(&event.data)
            .map_err(|why| self.client.strange(&why.to_string()))?;
        self.next = event.id.saturating_add(1);
        Ok(told)
    }

    async fn event(&mut self) -> Result<Event, ClientError> {
        if self.line.is_none() {
            self.line = Some(self.open().await?);
        }
        loop {
            let Some(line) = &mut self.line else { return Err(self.gone("its line is closed")) };
            while let Some(message) = line.message() {
                if let Some(event) = read(&message) {
                    return event
                        .ok_or_else(|| self.client.strange("it sends an event without a place"));
                }
            }
            if line.unread.len() > EVENT_BYTES_MAX {
                return Err(self.client.strange("an event of it does not end"));
            }
            match tokio::time::timeout(SILENCE, line.answer.chunk()).await {
                Ok(Ok(Some(chunk))) => line.unread.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Err(self.gone("it closed the line")),
                Ok(Err(why)) => return Err(self.client.unreachable(&why)),
                Err(_silence) => return Err(self.gone("it has been silent for too long")),
            }
        }
    }

    async fn open(&self) -> Result<Line, ClientError> {
        let path = match &self.what {
            What::Blocks => format!("/v1/events/blocks?from={}", self.next),
            What::Records(wanted) => wanted.path("/v1/events/records", Some(self.next)),
        };
        let mut request = self.client.following(&path);
        // What was seen last says the same as `from`, in the words of the standard, which proxies know.
        if let Some(seen) = self.next.checked_sub(1) {
            request = request.header("last-event-id", seen);
        }
        let answer = self.client.open(request).await?;
        Ok(Line { answer, unread: Vec::new() })
    }

    fn gone(&self, why: &str) -> ClientError {
        ClientError::Unreachable { url: self.client.url().to_owned(), why: why.to_owned() }
    }
}

impl Line {
    /// The next message that is there whole: lines, up to an empty one.
    fn message(&mut self) -> Option<String> {
        let end = self.unread.windows(2).position(|two| two == b"\n\n")?;
        let message: Vec<u8> = self.unread.drain(..end + 2).collect();
        Some(String::from_utf8_lossy(&message).into_owned())
    }
}

/// What a message says: nothing if it only keeps the line, else an event, which may be malformed.
fn read(message: &str) -> Option<Option<Event>> {
    let (mut id, mut data) = (None, Vec::new());
    for line in message.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => id = value.parse().ok(),
            "data" => data.push(value),
            // A comment, the type of an event, or when to come back.
            _ => {}
        }
    }
    (!data.is_empty()).then(|| id.map(|id| Event { id, data: data.join("\n") }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::Kind, http::tests::asked};
    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    /// A node that is busy twice, with a header more each time.
    async fn refuse(listener: TcpListener, headers: [&'static str; 2]) {
        for header in headers {
            let mut stream = asked(&listener).await;
            let answer =
                format!("HTTP/1.1 503 X\r\n{header}content-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    #[test]
    fn a_node_that_asks_for_an_eternity_does_not_get_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            // A whole second is spent before: that and as many seconds as can be said are more than a duration holds.
            tokio::spawn(refuse(listener, ["", "retry-after: 18446744073709551615\r\n"]));
            let second = Duration::from_secs(1);
            let patience = Patience { first: second, longest: second, total: second };
            let client = Client::new(&url).unwrap();
            let mut follower = client.follow_blocks(Height(1)).patient(patience);
            follower.next().await
        });
        let Err(ClientError::Busy { retry_after, .. }) = told else { panic!("{told:?}") };
        assert_eq!(retry_after, Some(Duration::from_secs(u64::MAX)));
    }

    /// A node that says the same on every line.
    async fn tell(listener: TcpListener, events: &'static str) {
        loop {
            let mut stream = asked(&listener).await;
            let length = events.len();
            let head = "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n";
            let answer = format!("{head}content-length: {length}\r\n\r\n{events}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_passed_over() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let client = Client::new(&url).unwrap();
            tokio::spawn(tell(listener, "id: 3\ndata: no number\n\nid: 4\ndata: 4\n\n"));
            let wanted = Wanted { kind: Some(Kind::Licence), ..Wanted::default() };
            let mut follower = Follower::<u64>::new(&client, What::Records(wanted), 0);
            for _ in 0..2 {
                let told = follower.next().await;
                assert!(matches!(told, Err(ClientError::Strange { .. })), "{told:?}");
                assert_eq!(follower.next_place(), 0);
            }
        });
    }
}
