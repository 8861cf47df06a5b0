//! One binary for all tests that need more than one module: the command line, real Postgres, the sources.
