//! Starts the iris prediction API.

fn main() {}
