//! A trace receiver that keeps nothing: the far end of the service in `bench/run`, where wrk and not
//! the verifier drives the load. Writes its OTLP/gRPC address to the file named by its argument.

use std::net::TcpListener;
use verifier::record::{Clock, Recording, RunFolder, RunKey};
use verifier::run::traces::OtlpReceiver;

fn main() -> anyhow::Result<()> {
    let address_file = std::env::args_os()
        .nth(1)
        .ok_or_else(|| anyhow::anyhow!("usage: otlp_sink ADDRESS_FILE"))?;
    let folder = tempfile::tempdir()?;
    // A key of its own: every span is foreign here, counted and not kept.
    let recording = Recording::start(
        &RunFolder::create(folder.path())?,
        Clock::start(),
        RunKey::random()?,
        &[],
    )?;
    let listen = || TcpListener::bind("127.0.0.1:0");
    let receiver = OtlpReceiver::start(listen()?, listen()?, recording.recorder())?;
    verifier::record::write_whole(
        address_file.as_ref(),
        receiver.grpc_address().to_string().as_bytes(),
    )?;
    loop {
        std::thread::park();
    }
}
