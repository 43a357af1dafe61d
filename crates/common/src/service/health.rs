use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::BaseSettings;
use crate::runtime::ServiceError;

/// Longest wait for the connection, and for each piece of the answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// What the answer of a healthy process begins with.
const HEALTHY: &[u8] = b"HTTP/1.1 200 ";

/// Asks the process that listens with these settings for its `/health`. This
/// is the health check of a container, whose image has no program for it.
///
/// # Errors
/// Nobody listens there, or the answer is not a 200.
pub(super) fn ask_health(settings: &BaseSettings) -> Result<(), ServiceError> {
    let address = SocketAddr::new(reachable(settings.bind_address), settings.port);
    ask(address).map_err(|source| ServiceError::Io {
        context: format!("http://{address}/health does not say that the service is alive"),
        source,
    })
}

fn ask(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    write!(
        stream,
        "GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    let mut beginning = [0; HEALTHY.len()];
    stream.read_exact(&mut beginning)?;
    if beginning == HEALTHY {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "the answer begins with {:?}",
            String::from_utf8_lossy(&beginning)
        )))
    }
}

/// Where a process that listens on that address is reached on this machine.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one request with that.
    fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer).unwrap();
        });
        address
    }

    #[test]
    fn a_200_is_healthy_and_nothing_else_is() {
        assert!(ask(server(b"HTTP/1.1 200 OK\r\n\r\n")).is_ok());
        for answer in [
            &b"HTTP/1.1 503 Service Unavailable\r\n\r\n"[..],
            b"220 mail",
            b"",
        ] {
            assert!(ask(server(answer)).is_err());
        }
    }

    #[test]
    fn a_process_on_all_addresses_is_asked_on_this_machine() {
        for (address, asked) in [
            ("0.0.0.0", "127.0.0.1"),
            ("::", "::1"),
            ("127.0.0.2", "127.0.0.2"),
        ] {
            assert_eq!(reachable(address.parse().unwrap()).to_string(), asked);
        }
    }
}
