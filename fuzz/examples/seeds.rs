//! Writes the seeds anew: `cargo run --example seeds`, in this folder.

use std::fs;
use std::path::Path;

mod requests;

use millstream_fuzz::{connection, recovery};
use millstream_log::record::{BatchBuilder, Compression};

fn main() -> std::io::Result<()> {
    let versions = requests::every_kind().map(|(name, requests)| (name, connection::input_of(&requests)));
    let stories = requests::stories().into_iter().map(|(name, requests)| (name, connection::input_of(&requests)));
    write("connection", versions.chain(stories))?;
    write("batch", batches())?;
    let numbered = recovery::seeds().into_iter().enumerate().map(|(number, seed)| (format!("file-{number:02}"), seed));
    write("recovery", numbered)
}

fn write(target: &str, seeds: impl Iterator<Item = (String, Vec<u8>)>) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    for (name, seed) in seeds {
        fs::write(folder.join(name), seed)?;
    }
    Ok(())
}

/// A batch of each codec, behind the byte that lets its checksum be made to fit.
fn batches() -> impl Iterator<Item = (String, Vec<u8>)> {
    let codecs = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    codecs.into_iter().map(|codec| {
        let builder = BatchBuilder::new().with_compression(codec);
        let builder = if codec == Compression::Gzip { builder.with_producer(7, 0, 0) } else { builder };
        (format!("{codec:?}").to_lowercase(), [&[1], requests::batch(builder).as_slice()].concat())
    })
}
