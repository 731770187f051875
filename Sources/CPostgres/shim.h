// libpq, PostgreSQL's own client library. Debian keeps its headers in a folder of their own, others do not.
#if __has_include(<postgresql/libpq-fe.h>)
#include <postgresql/libpq-fe.h>
#else
#include <libpq-fe.h>
#endif
