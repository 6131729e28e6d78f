//! What is said of slips.

use std::fs;

use super::setup::with_orders;
use crate::support;
use crate::terminal::User;

#[test]
fn an_error_points_at_the_slip_and_says_what_was_meant() {
    let user = with_orders();
    let mut shell = user.shell();
    let shown = shell.enter("SELECT id,\n       itme\nFROM orders EMIT CHANGES;");
    assert!(shown.starts_with("error[E0203]: column \"ITME\" does not exist in stream \"ORDERS\""), "{shown}");
    assert!(shown.contains("2 |        itme\n  |        ^^^^ not found"), "{shown}");
    assert!(shown.contains("help: did you mean \"ITEM\"?"), "{shown}");
    let shown = shell.enter("SELECT id FROM orderz EMIT CHANGES;");
    assert!(shown.contains("help: did you mean \"ORDERS\"?"), "{shown}");
    let shown = shell.enter("SELCT id FROM orders;");
    assert!(shown.contains("help: did you mean \"SELECT\"?"), "{shown}");
    let shown = shell.enter("\\topcis");
    assert!(shown.contains("command \\topcis is not known"), "{shown}");
}

#[test]
fn errors_of_pull_queries_point_at_the_slip() {
    let user = with_orders();
    for (sql, report) in [
        (
            "SELECT id,\n       itme FROM orders",
            "error[E0203]: column \"ITME\" does not exist in stream \"ORDERS\"\n --> line 2, column 8\n",
        ),
        ("SELECT id FROM orders WHERE itme = 'tea' ORDER BY id", " --> line 1, column 29\n"),
        (
            "SELECT substrng(item, 1) FROM orders",
            "error[E0206]: function SUBSTRNG does not exist\n --> line 1, column 8\n",
        ),
        ("SELECT COUNT(* FROM orders", "error[E0101]: "),
    ] {
        let output = support::output(&user.data(), &["-e", sql]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{sql}: {error}");
        assert!(error.contains(report) && error.contains('^'), "{sql}: {error}");
        assert!(!error.to_lowercase().contains("datafusion") && !error.contains("ParserError"), "{sql}: {error}");
    }
    let output = support::output(&user.data(), &["-e", "SELECT substrng(item, 1) FROM orders"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean \"SUBSTRING\"?"));
}

#[test]
fn an_error_in_a_script_names_its_file_line_and_column() {
    let user = with_orders();
    let script = user.dir().join("script.sql");
    fs::write(&script, "SHOW TABLES;\n\nSELECT id,\n  itme\nFROM orders EMIT CHANGES;\n").unwrap();
    let output = support::output(&user.data(), &["-f", support::text(&script)]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("--> {}:4:3", script.display())), "{error}");
}

#[test]
fn codes_of_errors_are_explained() {
    let user = User::new();
    let mut shell = user.shell();
    let shown = shell.enter("\\help E0203");
    assert!(shown.contains("column") && shown.contains("SELECT"), "{shown}");
    assert!(shell.enter("\\help E9999").contains("E9999"));
}

#[test]
fn a_slip_in_a_command_is_pointed_at() {
    let user = User::new();
    let mut shell = user.shell();
    assert!(shell.enter("\\topcis").contains("did you mean \"\\topics\"?"));
    assert!(shell.enter("output jsno").contains("did you mean \"json\"?"));
    assert!(shell.enter("help crate stream").contains("CREATE STREAM"));
}
