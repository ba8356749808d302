// Reads PNG files; wraps the setjmp that Swift cannot import.
#pragma once
