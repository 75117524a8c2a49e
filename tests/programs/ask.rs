//! ask: a client of a socket, with the rights of its caller. `ask SOCKET REQUEST...` sends each request over a connection
//! of its own and prints the first line of the answer, or why there is no connection.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

fn main() -> io::Result<()> {
    #[allow(clippy::disallowed_methods, reason = "a test program is no link: it has std's entry point")]
    let mut words = env::args().skip(1);
    let socket = words.next().ok_or_else(|| io::Error::other("no socket"))?;
    let mut out = io::stdout();
    for request in words {
        let mut stream = match UnixStream::connect(&socket) {
            Ok(stream) => stream,
            Err(error) => {
                writeln!(out, "{:?}", error.kind())?;
                continue;
            }
        };
        let mut line = String::new();
        // Whom the supervisor turns away may find that it has gone already.
        match stream.write_all(format!("{request}\n").as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => BufReader::new(stream).read_line(&mut line)?,
        };
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
