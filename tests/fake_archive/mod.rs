//! A small HTTP server that does what no real archive does on demand: it counts, records and misbehaves.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query.
    pub path: String,
    /// The whole head in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
    /// How many requests for this path came before.
    pub before: usize,
}

/// One answer.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub end: End,
}

/// How an answer ends.
#[derive(Clone, Copy, PartialEq)]
pub enum End {
    /// As it should.
    Whole,
    /// The connection breaks before the last byte.
    Cut,
    /// From its middle on zeros until the client goes away.
    Never,
    /// Nothing more comes, and the connection stays open.
    Silent,
}

impl Reply {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type", content_type.to_owned())];
        Self { status, headers, body: body.into(), end: End::Whole }
    }

    pub fn status(status: u16) -> Self {
        Self { headers: Vec::new(), ..Self::new(status, "", "") }
    }

    pub fn json(body: &serde_json::Value) -> Self {
        Self::new(200, "application/dicom+json", body.to_string())
    }

    pub fn redirect(status: u16, to: &str) -> Self {
        Self { headers: vec![("Location", to.to_owned())], ..Self::new(status, "", "") }
    }

    /// A file as the only part of multipart/related.
    pub fn part(file: &[u8]) -> Self {
        let body = [b"--b0\r\nContent-Type: application/dicom\r\n\r\n", file, b"\r\n--b0--\r\n"].concat();
        Self::new(200, "multipart/related; type=\"application/dicom\"; boundary=b0", body)
    }

    pub fn ending(self, end: End) -> Self {
        Self { end, ..self }
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// A running server; its threads end with the test program.
pub struct FakeArchive {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl FakeArchive {
    /// On a free port of 127.0.0.1.
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(None, handler)
    }

    /// Likewise, by TLS.
    pub fn start_tls(
        tls: rustls::ServerConfig,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(Arc::new(tls)), handler)
    }

    fn listen(
        tls: Option<Arc<rustls::ServerConfig>>,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let handler: Arc<Handler> = Arc::new(handler);
        let archive =
            Self { address, connections: Arc::default(), open: Arc::default(), requests: Arc::default() };
        let (connections, open, requests) =
            (archive.connections.clone(), archive.open.clone(), archive.requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                open.fetch_add(1, Ordering::SeqCst);
                let (handler, open, requests) = (handler.clone(), open.clone(), requests.clone());
                let tls = tls.clone();
                thread::spawn(move || {
                    let _ = match tls.map(|tls| rustls::ServerConnection::new(tls).unwrap()) {
                        Some(tls) => serve(rustls::StreamOwned::new(tls, stream), &*handler, &requests),
                        None => serve(stream, &*handler, &requests),
                    };
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        archive
    }

    /// `http://127.0.0.1:<port>/dicom-web`.
    pub fn root(&self) -> String {
        format!("http://{}/dicom-web", self.address)
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until no connection is open; how long that took.
    pub fn wait_until_left(&self) -> Duration {
        let start = Instant::now();
        while self.open.load(Ordering::SeqCst) > 0 && start.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(5));
        }
        start.elapsed()
    }

    /// Requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: impl Read + Write,
    handler: &Handler,
    requests: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    let head = text.to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let request = {
        let mut requests = requests.lock().unwrap();
        let before = requests.iter().filter(|request| request.path == path).count();
        requests.push(Request { path, head, body, before });
        requests.last().unwrap().clone()
    };
    answer(&mut stream, &handler(&request))
}

fn answer(stream: &mut (impl Read + Write), reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head = head + name + ": " + value + "\r\n";
    }
    if reply.end != End::Never {
        head = head + "Content-Length: " + &reply.body.len().to_string() + "\r\n";
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    match reply.end {
        End::Whole => stream.write_all(&reply.body),
        End::Cut => stream.write_all(&reply.body[..reply.body.len() * 2 / 3]),
        End::Never => {
            stream.write_all(&reply.body[..reply.body.len() / 2])?;
            loop {
                stream.write_all(&[0; 1 << 12])?;
            }
        }
        End::Silent => {
            stream.write_all(&reply.body[..reply.body.len() / 3])?;
            // Returns when the client closes its end.
            stream.read(&mut [0]).map(drop)
        }
    }
}
