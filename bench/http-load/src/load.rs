//! Many connections on one thread, each of which waits for its answer before it asks again.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Token};

use crate::answer::{Progress, progress};

/// When a load is over: no request is sent after that.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Requests(usize),
    Time(Duration),
}

/// What a load brought.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) latencies_us: Vec<f64>,
    pub(crate) errors: usize,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
}

/// Without an answer for so long, the server is taken for dead.
const SILENCE: Duration = Duration::from_secs(30);

/// After so many connections the server is given time to accept them, lest its queue overflows.
const BURST: usize = 64;

struct Connection {
    stream: mio::net::TcpStream,
    sent: Instant,
    answer: Vec<u8>,
}

struct Load<'a> {
    port: u16,
    request: &'a [u8],
    until: Until,
    started: Instant,
    asked: usize,
    latencies_us: Vec<f64>,
    errors: usize,
    poll: Poll,
}

/// Sends the request once, on a connection of its own, and waits for any complete answer.
pub(crate) fn ask_once(port: u16, request: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.write_all(request)?;
    let (mut answer, mut chunk) = (vec![], [0; 1024]);
    loop {
        match stream.read(&mut chunk)? {
            0 => bail!("the server closed the connection"),
            read => answer.extend_from_slice(&chunk[..read]),
        }
        // A handler of events refuses a GET, which is an answer too.
        match progress(&answer) {
            Ok(Progress::Incomplete) => {}
            Ok(Progress::Complete { .. }) | Err(_) => return Ok(()),
        }
    }
}

/// Sends the request over and over on so many connections.
pub(crate) fn run(port: u16, request: &[u8], connections: usize, until: Until) -> Result<Loaded> {
    let mut load = Load {
        port,
        request,
        until,
        started: Instant::now(),
        asked: 0,
        latencies_us: vec![],
        errors: 0,
        poll: Poll::new()?,
    };
    load.run(connections)?;
    let took = load.started.elapsed();
    Ok(Loaded { latencies_us: load.latencies_us, errors: load.errors, took })
}

impl Load<'_> {
    fn run(&mut self, connections: usize) -> Result<()> {
        let mut all = vec![];
        for number in 0..connections {
            all.push(self.connect(number)?);
            if number % BURST == BURST - 1 {
                sleep(Duration::from_millis(1));
            }
        }
        self.started = Instant::now();
        let mut busy = 0;
        for connection in &mut all {
            busy += usize::from(self.ask(connection)?);
        }
        let mut events = Events::with_capacity(connections);
        while busy > 0 {
            self.poll.poll(&mut events, Some(SILENCE))?;
            if events.is_empty() {
                bail!("the server has not answered for {} s", SILENCE.as_secs());
            }
            for event in &events {
                let number = event.token().0;
                match self.read(&mut all[number]) {
                    Ok(Progress::Incomplete) => continue,
                    Ok(Progress::Complete { is_last: false }) => {}
                    Ok(Progress::Complete { is_last: true }) => {
                        all[number] = self.connect(number)?;
                    }
                    Err(error) if self.errors >= 1000 => return Err(error),
                    Err(_) => {
                        self.errors += 1;
                        all[number] = self.connect(number)?;
                    }
                }
                busy -= usize::from(!self.ask(&mut all[number])?);
            }
        }
        Ok(())
    }

    fn connect(&self, number: usize) -> Result<Connection> {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
            .context("the server does not accept connections")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        self.poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        Ok(Connection { stream, sent: Instant::now(), answer: Vec::with_capacity(4096) })
    }

    /// Sends the next request; false if there is to be none.
    fn ask(&mut self, connection: &mut Connection) -> Result<bool> {
        let now = Instant::now();
        let is_over = match self.until {
            Until::Requests(number) => self.asked >= number,
            Until::Time(time) => now.duration_since(self.started) >= time,
        };
        if is_over {
            return Ok(false);
        }
        self.asked += 1;
        connection.sent = now;
        connection.answer.clear();
        // A socket's buffer takes a small request whole.
        connection.stream.write_all(self.request).context("the server takes no request")?;
        Ok(true)
    }

    fn read(&mut self, connection: &mut Connection) -> Result<Progress> {
        let mut chunk = [0; 16 * 1024];
        loop {
            match connection.stream.read(&mut chunk) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(read) => connection.answer.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Progress::Incomplete);
                }
                Err(error) => return Err(error.into()),
            }
            // A server has nothing to say after a complete answer, so that there is nothing left to read.
            let progress = progress(&connection.answer)?;
            if progress != Progress::Incomplete {
                self.latencies_us.push(connection.sent.elapsed().as_secs_f64() * 1e6);
                return Ok(progress);
            }
        }
    }
}
