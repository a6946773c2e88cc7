//! Serve: the UDP and TCP ports of a DNS server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use privatelink_verdict::observation::Transport;
use privatelink_verdict::reason::Stage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::time::{Instant, sleep, timeout};

use super::fault::{Action, FaultyReply};
use super::recursor::Recursor;
use super::server::{Port, Server};
use crate::tasks::Tasks;
use crate::turn::Turns;

/// Pairs of ports tried until one is free for UDP and TCP.
const TRIES: usize = 64;

/// How long a TCP client may take for its next question.
const IDLE: Duration = Duration::from_secs(30);

/// Opens the ports of `server` at `address`, the same for UDP and TCP, and answers there. Port 0: one that is
/// free.
pub(crate) async fn serve(
    server: &Server,
    address: SocketAddr,
    recursor: Recursor,
    turns: &Turns,
    tasks: &Tasks,
) -> io::Result<SocketAddr> {
    let (udp, tcp) = same_port(address).await?;
    let address = udp.local_addr()?;
    match server.udp {
        Port::Open => {
            tasks.spawn(serve_udp(
                udp,
                recursor.clone(),
                turns.clone(),
                tasks.clone(),
            ));
        }
        Port::Silent => tasks.hold(udp),
        Port::Closed => {
            // A socket that is connected elsewhere keeps its port, and the kernel refuses all others.
            udp.connect((Ipv4Addr::LOCALHOST, 1)).await?;
            tasks.hold(udp);
        }
    }
    match server.tcp {
        Port::Open => {
            let listener = tcp.listen(64)?;
            tasks.spawn(serve_tcp(listener, recursor, turns.clone(), tasks.clone()));
        }
        Port::Silent => {
            // The kernel opens the connections, and they are never accepted.
            tasks.hold(tcp.listen(64)?);
        }
        // Bound without listening: refuses, and no other process can take the port.
        Port::Closed => tasks.hold(tcp),
    }
    Ok(address)
}

async fn same_port(address: SocketAddr) -> io::Result<(UdpSocket, TcpSocket)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let udp = UdpSocket::bind(address).await?;
        let tcp = TcpSocket::new_v4()?;
        // A server that starts again takes its port although the kernel still waits for old connections.
        tcp.set_reuseaddr(address.port() != 0)?;
        match tcp.bind(udp.local_addr()?) {
            Ok(()) => return Ok((udp, tcp)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn serve_udp(socket: UdpSocket, recursor: Recursor, turns: Turns, tasks: Tasks) {
    let socket = Arc::new(socket);
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            // Most likely the system is short of memory: give it time.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let heard = Instant::now();
        let message = buffer.get(..length).unwrap_or_default();
        let Some(reply) = recursor.reply(message, Transport::Udp) else {
            continue;
        };
        if reply.delay.is_zero() {
            send(&socket, from, reply.action).await;
            turns.ended(Stage::Dns, heard);
        } else {
            let (socket, turns) = (Arc::clone(&socket), turns.clone());
            tasks.spawn(async move {
                sleep(reply.delay).await;
                send(&socket, from, reply.action).await;
                turns.ended(Stage::Dns, heard);
            });
        }
    }
}

/// Sends one datagram. One that cannot be sent counts as lost on the way.
async fn send(socket: &UdpSocket, to: SocketAddr, action: Action) {
    match action {
        Action::Send(bytes) => {
            _ = socket.send_to(&bytes, to).await;
        }
        Action::SendHalf(bytes) => {
            let (half, _) = bytes.split_at(bytes.len() / 2);
            _ = socket.send_to(half, to).await;
        }
        Action::SendFromOtherPort(bytes) => {
            if let Ok(other) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await {
                _ = other.send_to(&bytes, to).await;
            }
        }
        Action::Nothing | Action::Close => {}
    }
}

async fn serve_tcp(listener: TcpListener, recursor: Recursor, turns: Turns, tasks: Tasks) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely there are no descriptors left: give other tasks time to close theirs.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (recursor, turns) = (recursor.clone(), turns.clone());
        tasks.spawn(async move {
            // It ends with an error when the client closes the connection.
            _ = serve_connection(stream, &recursor, &turns).await;
        });
    }
}

async fn serve_connection(
    mut stream: TcpStream,
    recursor: &Recursor,
    turns: &Turns,
) -> io::Result<()> {
    loop {
        let length = timeout(IDLE, stream.read_u16()).await??;
        let mut message = vec![0; usize::from(length)];
        timeout(IDLE, stream.read_exact(&mut message)).await??;
        let heard = Instant::now();
        let Some(FaultyReply { delay, action }) = recursor.reply(&message, Transport::Tcp) else {
            return Ok(());
        };
        sleep(delay).await;
        match action {
            Action::Send(bytes) | Action::SendFromOtherPort(bytes) => {
                stream.write_all(&frame(&bytes)).await?;
                turns.ended(Stage::Dns, heard);
            }
            Action::SendHalf(bytes) => {
                let framed = frame(&bytes);
                let (half, _) = framed.split_at(framed.len() / 2);
                stream.write_all(half).await?;
                return Ok(());
            }
            Action::Nothing => {}
            Action::Close => return Ok(()),
        }
    }
}

/// `message` behind its length (RFC 1035 section 4.2.2).
fn frame(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::{Message, Query};
    use hickory_proto::rr::{Name, RecordType};

    const SOON: Duration = Duration::from_millis(500);

    async fn start(yaml: &str, tasks: &Tasks) -> SocketAddr {
        let server: Server = serde_saphyr::from_str(yaml).expect("a server");
        let recursor = Recursor::new(&server);
        let any_port = (Ipv4Addr::LOCALHOST, 0).into();
        serve(&server, any_port, recursor, &Turns::default(), tasks)
            .await
            .expect("ports")
    }

    fn question() -> Message {
        let mut message = Message::query();
        let name = Name::from_ascii("a.test.").expect("a name");
        message.add_query(Query::query(name, RecordType::A));
        message
    }

    async fn over_udp(server: SocketAddr) -> io::Result<Message> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(server).await?;
        socket.send(&question().to_vec().expect("bytes")).await?;
        let mut buffer = [0; 512];
        let length = timeout(SOON, socket.recv(&mut buffer)).await??;
        Ok(Message::from_vec(&buffer[..length]).expect("a message"))
    }

    async fn over_tcp(server: SocketAddr) -> io::Result<Message> {
        let mut stream = TcpStream::connect(server).await?;
        stream
            .write_all(&frame(&question().to_vec().expect("bytes")))
            .await?;
        let length = timeout(SOON, stream.read_u16()).await??;
        let mut message = vec![0; usize::from(length)];
        stream.read_exact(&mut message).await?;
        Ok(Message::from_vec(&message).expect("a message"))
    }

    #[tokio::test]
    async fn a_truncated_answer_is_whole_over_tcp_on_the_same_port() {
        let tasks = Tasks::default();
        let server = start(
            "{records: [a.test A 127.0.1.1], faults: [{then: truncate}]}",
            &tasks,
        )
        .await;
        let udp = over_udp(server).await.expect("an answer");
        assert!(udp.metadata.truncation);
        let tcp = over_tcp(server).await.expect("an answer");
        assert_eq!(tcp.answers.len(), 1);
        tasks.stopped().await;
    }

    #[tokio::test]
    async fn a_closed_port_refuses_and_a_silent_one_says_nothing() {
        let tasks = Tasks::default();
        let closed = start("{udp: closed, tcp: closed}", &tasks).await;
        let kind = |result: io::Result<Message>| result.expect_err("no answer").kind();
        assert_eq!(
            kind(over_udp(closed).await),
            io::ErrorKind::ConnectionRefused
        );
        assert_eq!(
            kind(over_tcp(closed).await),
            io::ErrorKind::ConnectionRefused
        );
        let silent = start("{udp: silent, tcp: silent}", &tasks).await;
        assert_eq!(kind(over_udp(silent).await), io::ErrorKind::TimedOut);
        assert_eq!(kind(over_tcp(silent).await), io::ErrorKind::TimedOut);
        tasks.stopped().await;
    }

    #[tokio::test]
    async fn tcp_faults_reach_the_wire() {
        let tasks = Tasks::default();
        let closes = start("faults: [{transport: tcp, then: close}]", &tasks).await;
        let error = over_tcp(closes).await.expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let halves = start("{faults: [{transport: tcp, then: half}]}", &tasks).await;
        let error = over_tcp(halves).await.expect_err("half a message");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        tasks.stopped().await;
    }

    #[tokio::test]
    async fn a_reply_from_another_port_does_not_reach_a_connected_socket() {
        let tasks = Tasks::default();
        let server = start("faults: [{then: otherSource}]", &tasks).await;
        let error = over_udp(server).await.expect_err("no answer");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        tasks.stopped().await;
    }

    #[tokio::test]
    async fn stopping_closes_the_ports() {
        let tasks = Tasks::default();
        let server = start("{}", &tasks).await;
        over_udp(server).await.expect("an answer");
        tasks.stopped().await;
        let error = over_tcp(server).await.expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
