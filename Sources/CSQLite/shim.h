// SQLite, and the calls that Swift cannot import: variadic functions and the SQLITE_TRANSIENT cast.
#pragma once
#include <sqlite3.h>

/// Forbids SQL that could corrupt the file on purpose: writable_schema, direct writes to shadow tables.
static inline int csqlite_defensive(sqlite3 *database) {
  return sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
}

/// Binds `count` bytes of UTF-8, copied by SQLite.
static inline int csqlite_bind_text_copy(sqlite3_stmt *statement, int index, const char *text, sqlite3_uint64 count) {
  return sqlite3_bind_text64(statement, index, text, count, SQLITE_TRANSIENT, SQLITE_UTF8);
}

/// Binds `count` bytes without a copy: they must stay valid until the statement is reset.
static inline int csqlite_bind_blob_borrowed(
    sqlite3_stmt *statement, int index, const void *bytes, sqlite3_uint64 count) {
  return sqlite3_bind_blob64(statement, index, bytes, count, SQLITE_STATIC);
}
