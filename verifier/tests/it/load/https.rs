//! `https://` targets: who is believed, what counts as connecting, and that TLS changes nothing about the outcomes.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use server::Server;
use std::io::Read;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use verifier::run::load::Trust;

pub(super) type Secure = StreamOwned<ServerConnection, TcpStream>;

/// A private authority, its PEM file, and the configuration of a server that it vouches for.
pub(super) struct Authority {
    _folder: TempDir,
    file: PathBuf,
    pub(super) config: Arc<ServerConfig>,
}

impl Authority {
    pub(super) fn new() -> Authority {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        let issuer = Issuer::new(params, key);
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], secret)
            .unwrap();
        Authority {
            _folder: folder,
            file,
            config: Arc::new(config),
        }
    }

    pub(super) fn trust(&self) -> Trust {
        Trust {
            ca_file: Some(self.file.clone()),
            insecure: false,
        }
    }

    /// `script` gets each connection as it was accepted, its handshake still to come.
    pub(super) fn serve(&self, script: impl Fn(&mut Secure) + Send + Sync + 'static) -> Server {
        let config = Arc::clone(&self.config);
        Server::raw(move |stream| {
            stream.set_nodelay(true).unwrap();
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            script(&mut StreamOwned::new(session, stream));
        })
    }
}

fn url(server: &Server, host: &str) -> String {
    format!("https://{host}:{}", server.address().port())
}

/// Reads one request; false when the connection has ended.
fn request(stream: &mut Secure) -> bool {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return false;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    stream
        .read_exact(&mut vec![0; length.unwrap().parse().unwrap()])
        .is_ok()
}

pub(super) fn answers(answer: Vec<u8>) -> impl Fn(&mut Secure) {
    move |stream| while request(stream) && stream.write_all(&answer).is_ok() {}
}

fn drive_https(plan: &Plan, url: &str, trust: &Trust) -> Recorded {
    let target = Target::trusting(url, trust).unwrap();
    drive_target(plan, &target, 1, &CancellationToken::new())
}

fn patient(stage: &str) -> Plan {
    let mut plan = plan(&format!("{stage}\nduration = '400ms'"));
    plan.request.timeout = Duration::from_secs(5);
    plan
}

const CLOSED: &str = "kind = 'connections'\nconnections = 3";
const LOADS: [&str; 3] = [
    CLOSED,
    "kind = 'users'\nusers = 3\nspawn_rate = 100\nwait = { constant = '20ms' }",
    "kind = 'rate'\nrate = 100\nconnections = 3",
];

#[test]
fn connections_are_kept_whole_answers_come_and_the_host_is_named() {
    let authority = Authority::new();
    for load in LOADS {
        let names: Arc<Mutex<BTreeSet<Option<String>>>> = Arc::default();
        let seen = Arc::clone(&names);
        let server = authority.serve(move |stream| {
            answers(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec())(stream);
            seen.lock()
                .unwrap()
                .insert(stream.conn.server_name().map(str::to_owned));
        });
        let recorded = drive_https(
            &patient(load),
            &url(&server, "localhost"),
            &authority.trust(),
        );
        assert_all(&recorded.exchanges, Outcome::Ok);
        assert!(
            recorded.exchanges.len() > 20,
            "{load}: {} rows",
            recorded.exchanges.len()
        );
        // `localhost` may have an IPv6 address, at which nobody listens: what was accepted counts.
        assert_eq!(server.seen().1, 3, "{load}: connections");
        let names = names.lock().unwrap().clone();
        assert!(
            names
                .iter()
                .all(|name| name.as_deref() == Some("localhost")),
            "{names:?}"
        );
    }
}

#[test]
fn long_requests_and_answers_come_through_whole() {
    let authority = Authority::new();
    let body = vec![b'x'; 3 << 20];
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let answer = [head.into_bytes(), body].concat();
    let length = answer.len();
    let server = authority.serve(answers(answer));
    let mut plan = patient(CLOSED);
    plan.request.bodies = vec!["y".repeat(3 << 20)];
    let rows = drive_https(&plan, &url(&server, "127.0.0.1"), &authority.trust()).exchanges;
    assert_all(&rows, Outcome::Ok);
    assert!(rows.iter().all(|row| row.bytes as usize == length));
}

#[test]
fn the_handshake_is_part_of_connecting() {
    let authority = Authority::new();
    let server = authority.serve(|stream| {
        std::thread::sleep(Duration::from_millis(150));
        answers(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec())(
            stream,
        );
    });
    let rows = drive_https(
        &patient(CLOSED),
        &url(&server, "localhost"),
        &authority.trust(),
    )
    .exchanges;
    assert_all(&rows, Outcome::Ok);
    for row in rows {
        assert!(row.connected_ns - row.intended_ns >= 150_000_000, "{row:?}");
        assert!(row.sent_ns >= row.connected_ns, "{row:?}");
    }
}

#[test]
fn whoever_can_not_prove_itself_is_not_asked() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.serve(answers(
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(),
    ));
    let plain = Server::start(server::answer_ok);
    let hung = Server::raw(|mut stream| while stream.read(&mut [0; 999]).is_ok_and(|n| n > 0) {});
    for (what, url, trust) in [
        (
            "another authority",
            url(&server, "localhost"),
            other.trust(),
        ),
        ("another name", url(&server, "127.0.0.2"), authority.trust()),
        ("no TLS", url(&plain, "localhost"), authority.trust()),
        ("no handshake", url(&hung, "localhost"), authority.trust()),
    ] {
        let begun = Instant::now();
        let rows = drive_https(
            &plan(&format!("{CLOSED}\nduration = '400ms'")),
            &url,
            &trust,
        )
        .exchanges;
        assert!(!rows.is_empty(), "{what}");
        assert!(
            rows.iter().all(|row| row.outcome == Outcome::ConnectError),
            "{what}: {:?}",
            outcomes(&rows)
        );
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
    }
    let anyone = Trust {
        ca_file: None,
        insecure: true,
    };
    let rows = drive_https(&patient(CLOSED), &url(&server, "localhost"), &anyone).exchanges;
    assert_all(&rows, Outcome::Ok);
}

#[test]
fn only_an_end_that_is_said_is_an_end() {
    let authority = Authority::new();
    for (said, outcome) in [(true, Outcome::Ok), (false, Outcome::Reset)] {
        let server = authority.serve(move |stream| {
            let _ = request(stream)
                && stream
                    .write_all(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
                    .is_ok();
            if said {
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        let rows = drive_https(
            &patient(CLOSED),
            &url(&server, "localhost"),
            &authority.trust(),
        )
        .exchanges;
        assert_all(&rows, outcome);
    }
}

#[test]
fn a_run_that_believes_anybody_says_so_in_its_reports() {
    let authority = Authority::new();
    let server = authority.serve(answers(
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(),
    ));
    let url = url(&server, "localhost");
    let ca_file = authority.file.to_str().unwrap();
    for (flags, loud) in [
        (&["--insecure"][..], true),
        (&["--ca-file", ca_file], false),
    ] {
        let folder = TempDir::new().unwrap();
        let (plan, out) = (folder.path().join("plan.toml"), folder.path().join("run"));
        let text = format!(
            "name = 'https'\n[traces]\nspans = []\n[[stage]]\nname = 'one'\n{CLOSED}\nduration = '300ms'\n"
        );
        std::fs::write(&plan, text).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_verifier"))
            .args([
                "run",
                "--headless",
                "--url",
                &url,
                "--otlp-grpc",
                "127.0.0.1:0",
                "--otlp-http",
                "127.0.0.1:0",
            ])
            .args(flags)
            .arg("--out")
            .args([&out, &plan])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = format!("{told}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(matches!(output.status.code(), Some(0 | 3)), "{complaint}"); // 3: on a busy machine the generator is the limit
        assert_eq!(told.contains("INSECURE"), loud, "{complaint}");
        for report in ["verdict.json", "report.md", "report.html"] {
            let text = std::fs::read_to_string(out.join(report)).unwrap();
            assert_eq!(text.contains("INSECURE"), loud, "{report}");
        }
        let rows = RunFolder::open(&out).unwrap().read().unwrap().exchanges;
        assert_all(&rows, Outcome::Ok);
    }
}
