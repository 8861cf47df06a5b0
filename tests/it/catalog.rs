//! What `liftlock snapshot` and `validate --live` read of a database is true, of no row, and readable by anybody.

mod live;
