//! The shell as someone at a terminal meets it.

mod commands;
mod completion;
mod errors;
mod explained;
mod help;
mod keys;
mod leaving;
mod results;
mod scripts;
mod setup;
mod typing;
