//! A connection to a node, with as little HTTP as will do.

use anyhow::{Context as _, bail, ensure};
use client::{
    Client, Wait,
    api::{Fate, Receipt, Receipts},
};
use node::clock;
use serde_json::Value;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// A connection to a node that asks one thing at a time: the least that speaking HTTP can cost, because the load shares
/// the processors with the nodes.
pub(crate) struct Line {
    pub(crate) stream: BufReader<TcpStream>,
    pub(crate) host: String,
    pub(crate) text: String,
    pub(crate) body: Vec<u8>,
    used: Instant,
}

/// A node hangs up after ten seconds in which nothing was asked. Whoever was idle for so long connects again.
const IDLE: Duration = Duration::from_secs(5);

/// A node's no.
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: String,
}

impl Line {
    pub(crate) async fn to(client: &Client) -> anyhow::Result<Self> {
        let host = client.url().trim_start_matches("http://").to_owned();
        let (stream, used) = (connected(&host).await?, clock::instant());
        Ok(Self { stream, host, text: String::new(), body: Vec::new(), used })
    }

    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<String> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host);
        let status = self.exchange(head.as_bytes()).await?;
        ensure!(status == 200, "{path} answers {status}");
        Ok(String::from_utf8_lossy(&self.body).into_owned())
    }

    pub(crate) async fn submit(
        &mut self,
        tx: &[u8],
        wait: Wait,
    ) -> anyhow::Result<Result<Fate, Refused>> {
        let wait = match wait {
            Wait::Accepted => "accepted",
            Wait::Committed => "committed",
        };
        let mut request = format!(
            "POST /v1/transactions?wait={wait} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
            self.host,
            tx.len()
        )
        .into_bytes();
        request.extend_from_slice(tx);
        let status = self.exchange(&request).await?;
        // Most answers are many, alike and long; the one that matters is spelled out by its status.
        if status == 202 {
            return Ok(Ok(Fate::Accepted));
        }
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        if status == 200 {
            return Ok(Ok(serde_json::from_value(body["status"].clone())?));
        }
        let code = body["code"].as_str().map_or_else(|| format!("HTTP-{status}"), str::to_owned);
        Ok(Err(Refused { status, code }))
    }

    /// Submits several at once: what became of each, with the code if it was refused; or the node's no to all of them.
    pub(crate) async fn submit_all(
        &mut self,
        txs: &[Vec<u8>],
    ) -> anyhow::Result<Result<Vec<Receipt>, Refused>> {
        let length: usize = txs.iter().map(|tx| tx.len() + 4).sum();
        let mut request = format!(
            "POST /v1/transactions:batch HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n\r\n",
            self.host
        )
        .into_bytes();
        for tx in txs {
            request.extend_from_slice(&u32::try_from(tx.len())?.to_le_bytes());
            request.extend_from_slice(tx);
        }
        let status = self.exchange(&request).await?;
        if status == 200 {
            let Receipts { receipts } = serde_json::from_slice(&self.body)?;
            return Ok(Ok(receipts));
        }
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = body["code"].as_str().map_or_else(|| format!("HTTP-{status}"), str::to_owned);
        Ok(Err(Refused { status, code }))
    }

    /// Sends a request, reads the answer's body, and returns its status. A node that hangs up without a word is asked again, once,
    /// and it is told: all that is asked here may be asked twice.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        if self.used.elapsed() > IDLE {
            self.stream = connected(&self.host).await?;
        }
        if !self.is_answered(request).await {
            eprintln!("bench: {} hung up, and is asked again", self.host);
            self.stream = connected(&self.host).await?;
            self.stream.get_mut().write_all(request).await?;
        }
        let (mut status, mut length) = (None, 0);
        loop {
            self.text.clear();
            ensure!(self.stream.read_line(&mut self.text).await? > 0, "{} hung up", self.host);
            let line = self.text.trim_end();
            if line.is_empty() {
                break;
            }
            if status.is_none() {
                status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
            } else if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).await?;
        self.used = clock::instant();
        status.with_context(|| format!("{} does not speak HTTP", self.host))
    }

    /// Sends a request, and says whether an answer begins.
    async fn is_answered(&mut self, request: &[u8]) -> bool {
        let sent = self.stream.get_mut().write_all(request).await;
        sent.is_ok() && self.stream.fill_buf().await.is_ok_and(|bytes| !bytes.is_empty())
    }
}

async fn connected(host: &str) -> anyhow::Result<BufReader<TcpStream>> {
    let address: SocketAddr = host.parse()?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Submits until it is committed.
pub(crate) async fn submitted(line: &mut Line, tx: &[u8]) -> anyhow::Result<()> {
    for _ in 0..5 {
        if let Ok(Fate::Committed) = line.submit(tx, Wait::Committed).await? {
            return Ok(());
        }
    }
    bail!("a record was not committed, four times")
}
