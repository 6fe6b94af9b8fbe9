/*
 * version.h - our own version; what clients are told is SERVER_COMPAT_VERSION.
 */
#ifndef SENTINEL_RUNTIME_VERSION_H
#define SENTINEL_RUNTIME_VERSION_H

#define SENTINEL_VERSION "0.1.0"

#endif
