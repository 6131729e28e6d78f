//! Statements that nobody types.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::setup::with_orders;
use crate::support;

#[test]
fn times_have_units() {
    let user = with_orders();
    let push = "SET 'auto.offset.reset' = 'earliest'; SELECT id FROM orders EMIT CHANGES";
    for idle in ["1s", "1000ms", "1"] {
        let output = support::output(&user.data(), &["--until-idle", idle, "-e", push]);
        assert_eq!(output.status.code(), Some(0), "{idle}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3, "{idle}");
    }
    let output = support::output(&user.data(), &["--timeout", "300ms", "-e", support::IDLE]);
    assert_eq!(output.status.code(), Some(4));
    let output = support::output(&user.data(), &["--timeout", "3 parsecs", "-e", support::IDLE]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_statement_on_standard_input_runs_when_it_is_complete() {
    let user = with_orders();
    for args in [&[][..], &["-f", "-"]] {
        let mut command = support::millstream(&user.data(), args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"SELECT id FROM orders\nWHERE id = 2;\n").unwrap();
        stdin.flush().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (send, received) = std::sync::mpsc::channel();
        let reader = thread::spawn(move || {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            send.send(line).unwrap();
        });
        // Standard input is still open.
        let line = received.recv_timeout(Duration::from_secs(20));
        drop(stdin);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}");
        reader.join().unwrap();
        assert_eq!(line.as_deref(), Ok("{\"ID\":2}\n"), "{args:?}");
    }
}

#[test]
fn a_limit_of_no_rows_ends_at_once() {
    let user = with_orders();
    let push = "SELECT id FROM orders EMIT CHANGES";
    let output = support::output(&user.data(), &["--limit", "0", "--timeout", "20", "-e", push]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}

#[test]
fn acknowledgements_of_commands_are_no_data() {
    let user = with_orders();
    for (commands, rows) in [
        ("output csv; SELECT id FROM orders WHERE id = 2", "ID\n2\n"),
        ("\\timing; SELECT id FROM orders WHERE id = 2", "{\"ID\":2}\n"),
        ("request pipelining on; SELECT id FROM orders WHERE id = 2", "{\"ID\":2}\n"),
        ("clear; SELECT id FROM orders WHERE id = 2", "{\"ID\":2}\n"),
    ] {
        assert_eq!(support::run(&user.data(), &["-e", commands]), rows, "{commands}");
    }
    // A form that is not known is a failure like any other.
    let output = support::output(&user.data(), &["-e", "output nonsense; SELECT id FROM orders WHERE id = 2"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
}
