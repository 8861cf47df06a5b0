//! Postgres → mirror: read a page, write it, then move the cursor.
