/*
 * dns.c - host names looked up on threads of their own.
 *
 * The pool is memory of its own, because a thread in a look-up cannot be ended: when
 * the runtime goes, the pool stays until the last of them has come back.
 */
#include "sentinel/runtime/dns.h"

#include "common/hash.h"
#include "common/mem.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

/* Look-ups need little, but modules of nsswitch.conf are not ours. */
#define DNS_STACK_SIZE ((size_t)512 << 10)

struct dns_name {
    bool is_running;     /* a thread has it, or will */
    bool is_asking;      /* somebody waits */
    int64_t deadline_at; /* until then */
    bool is_good;        /* the last look-up found something */
    int64_t fresh_until; /* its result is given again before this */
    char ip[ADDR_IP_CAP];
    struct dns_name *prev, *next; /* in dns->asking */
    UT_hash_handle hh;
    char host[];
};

/* One look-up: to a thread, and back with what it found. */
struct dns_job {
    int n_ips;
    char ips[DNS_IPS_MAX][ADDR_IP_CAP];
    struct dns_job *prev, *next;
    char host[];
};

struct dns_thread {
    struct dns_pool *pool;
    uv_thread_t id;
    bool is_busy;
};

struct dns_pool {
    uv_mutex_t lock; /* for all that follows */
    uv_cond_t wake;
    dns_lookup_fn *lookup;
    uv_async_t *arrived; /* not to be touched once is_closed */
    struct dns_job *todo, *done;
    int n_todo;
    struct dns_thread threads[DNS_THREADS_MAX];
    int n_threads, n_idle;
    int n_users; /* threads, and the loop */
    bool is_closed;
};

int dns_pick(const struct addrinfo *found, char ips[DNS_IPS_MAX][ADDR_IP_CAP])
{
    int n = 0;

    for (; found != NULL && n < DNS_IPS_MAX; found = found->ai_next) {
        const void *addr = found->ai_addr;
        if (found->ai_family == AF_INET)
            uv_ip4_name(addr, ips[n++], ADDR_IP_CAP);
        else if (found->ai_family == AF_INET6)
            uv_ip6_name(addr, ips[n++], ADDR_IP_CAP);
    }
    return n;
}

static int dns_getaddrinfo(const char *host, char ips[DNS_IPS_MAX][ADDR_IP_CAP])
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return 0;
    int n = dns_pick(found, ips);
    freeaddrinfo(found);
    return n;
}

/* ------------------------------------------------------------------- threads ----- */

static void dns_jobs_free(struct dns_job **jobs)
{
    struct dns_job *job, *next;

    DL_FOREACH_SAFE(*jobs, job, next)
    {
        DL_DELETE(*jobs, job);
        mem_free(job);
    }
}

/* With the lock, which is released. */
static void dns_pool_leave(struct dns_pool *pool)
{
    bool is_last = --pool->n_users == 0;

    uv_mutex_unlock(&pool->lock);
    if (!is_last)
        return;
    dns_jobs_free(&pool->todo);
    dns_jobs_free(&pool->done);
    uv_cond_destroy(&pool->wake);
    uv_mutex_destroy(&pool->lock);
    mem_free(pool);
}

static void dns_thread_work(struct dns_thread *thread)
{
    struct dns_pool *pool = thread->pool;
    struct dns_job *job = pool->todo;

    DL_DELETE(pool->todo, job);
    pool->n_todo--;
    thread->is_busy = true;
    uv_mutex_unlock(&pool->lock);
    job->n_ips = pool->lookup(job->host, job->ips);
    uv_mutex_lock(&pool->lock);
    thread->is_busy = false;
    DL_APPEND(pool->done, job);
    if (!pool->is_closed)
        uv_async_send(pool->arrived);
}

static void dns_thread_run(void *arg)
{
    struct dns_thread *thread = arg;
    struct dns_pool *pool = thread->pool;
    sigset_t all;

    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    uv_mutex_lock(&pool->lock);
    while (!pool->is_closed) {
        if (pool->todo != NULL) {
            dns_thread_work(thread);
            continue;
        }
        pool->n_idle++;
        uv_cond_wait(&pool->wake, &pool->lock);
        pool->n_idle--;
    }
    dns_pool_leave(pool);
}

/* With the lock. A thread that cannot be started is no harm while there are others. */
static void dns_thread_add(struct dns_pool *pool)
{
    struct dns_thread *thread = &pool->threads[pool->n_threads];
    uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                   .stack_size = DNS_STACK_SIZE};

    thread->pool = pool;
    if (uv_thread_create_ex(&thread->id, &options, dns_thread_run, thread) != 0)
        return;
    pool->n_threads++;
    pool->n_users++;
}

/* Returns false if there is no thread to do it. */
static bool dns_pool_add(struct dns_pool *pool, const char *host)
{
    size_t len = strlen(host);
    struct dns_job *job = mem_zalloc(sizeof *job + len + 1);

    memcpy(job->host, host, len + 1);
    uv_mutex_lock(&pool->lock);
    DL_APPEND(pool->todo, job);
    pool->n_todo++;
    if (pool->n_todo > pool->n_idle && pool->n_threads < DNS_THREADS_MAX)
        dns_thread_add(pool);
    bool is_served = pool->n_threads > 0;
    if (!is_served) {
        DL_DELETE(pool->todo, job);
        pool->n_todo--;
        mem_free(job);
    }
    uv_cond_signal(&pool->wake);
    uv_mutex_unlock(&pool->lock);
    return is_served;
}

/* ------------------------------------------------------------------- answers ----- */

static void dns_arm(struct dns *dns);

static int64_t dns_now(const struct dns *dns)
{
    return (int64_t)uv_now(dns->arrived.loop);
}

static void dns_answer(struct dns *dns, struct dns_name *name)
{
    if (name->is_asking) {
        name->is_asking = false;
        DL_DELETE(dns->asking, name);
    }
    dns->answer(dns->ctx, name->host, name->is_good ? name->ip : NULL);
}

/* The one of its addresses that |name| has had, or else the best. */
static void dns_choose(struct dns_name *name, const struct dns_job *job)
{
    for (int i = 0; i < job->n_ips; i++)
        if (strcmp(job->ips[i], name->ip) == 0)
            return;
    memcpy(name->ip, job->ips[0], sizeof name->ip);
}

static void dns_on_job(struct dns *dns, const struct dns_job *job)
{
    struct dns_name *name;

    HASH_FIND_STR(dns->names, job->host, name);
    ASSERT(name != NULL && name->is_running);
    name->is_running = false;
    name->is_good = job->n_ips > 0;
    if (name->is_good)
        dns_choose(name, job);
    name->fresh_until = dns_now(dns) + (name->is_good ? dns->good_ms : dns->bad_ms);
    if (name->is_asking || name->is_good)
        dns_answer(dns, name);
}

/* What the threads have brought back. */
static void dns_collect(struct dns *dns)
{
    struct dns_job *done, *job, *next;

    uv_mutex_lock(&dns->pool->lock);
    done = dns->pool->done;
    dns->pool->done = NULL;
    uv_mutex_unlock(&dns->pool->lock);
    DL_FOREACH_SAFE(done, job, next)
    {
        DL_DELETE(done, job);
        dns_on_job(dns, job);
        mem_free(job);
    }
}

static void dns_on_deadline(uv_timer_t *timer)
{
    struct dns *dns = timer->data;

    dns_collect(dns); /* the loop may have been late, not the answer */
    while (dns->asking != NULL && dns->asking->deadline_at <= dns_now(dns)) {
        dns->asking->is_good = false;
        dns_answer(dns, dns->asking);
    }
    dns_arm(dns);
}

static void dns_arm(struct dns *dns)
{
    int64_t wait_ms;

    if (dns->asking == NULL) {
        uv_timer_stop(&dns->deadline);
        return;
    }
    wait_ms = dns->asking->deadline_at - dns_now(dns);
    uv_timer_start(&dns->deadline, dns_on_deadline, wait_ms > 0 ? (uint64_t)wait_ms : 0,
                   0);
}

static void dns_on_arrived(uv_async_t *async)
{
    struct dns *dns = async->data;

    dns_collect(dns);
    dns_arm(dns);
}

/* ----------------------------------------------------------------- questions ----- */

/* Names that were asked for once and never again. */
static void dns_prune(struct dns *dns)
{
    struct dns_name *name, *next;

    HASH_ITER(hh, dns->names, name, next)
    {
        if (name->is_running || name->is_asking || name->fresh_until > dns_now(dns))
            continue;
        HASH_DEL(dns->names, name);
        mem_free(name);
    }
}

/* NULL: there are too many. */
static struct dns_name *dns_name_get(struct dns *dns, const char *host)
{
    struct dns_name *name;
    size_t len = strlen(host);

    HASH_FIND(hh, dns->names, host, len, name);
    if (name != NULL)
        return name;
    if (HASH_COUNT(dns->names) >= DNS_NAMES_MAX)
        dns_prune(dns);
    if (HASH_COUNT(dns->names) >= DNS_NAMES_MAX)
        return NULL;
    name = mem_zalloc(sizeof *name + len + 1);
    memcpy(name->host, host, len + 1);
    HASH_ADD_KEYPTR(hh, dns->names, name->host, len, name);
    return name;
}

void dns_resolve(struct dns *dns, const char *host)
{
    struct dns_name *name = dns_name_get(dns, host);

    if (name == NULL) {
        dns->answer(dns->ctx, host, NULL);
        return;
    }
    if (name->is_asking)
        return; /* its answer is this one's too */
    if (!name->is_running && dns_now(dns) < name->fresh_until) {
        dns_answer(dns, name);
        return;
    }
    if (!name->is_running && !dns_pool_add(dns->pool, host)) {
        name->is_good = false;
        dns_answer(dns, name);
        return;
    }
    name->is_running = name->is_asking = true;
    name->deadline_at = dns_now(dns) + dns->deadline_ms;
    DL_APPEND(dns->asking, name);
    dns_arm(dns);
}

/* ---------------------------------------------------------------- life cycle ----- */

void dns_open(struct dns *dns, uv_loop_t *loop, dns_lookup_fn *lookup,
              dns_answer_fn *answer, void *ctx)
{
    dns->answer = answer;
    dns->ctx = ctx;
    dns->deadline_ms = DNS_DEADLINE_MS;
    dns->good_ms = DNS_GOOD_MS;
    dns->bad_ms = DNS_BAD_MS;
    dns->pool = mem_zalloc(sizeof *dns->pool);
    uv_mutex_init(&dns->pool->lock);
    uv_cond_init(&dns->pool->wake);
    dns->pool->lookup = lookup != NULL ? lookup : dns_getaddrinfo;
    dns->pool->arrived = &dns->arrived;
    dns->pool->n_users = 1;
    uv_timer_init(loop, &dns->deadline);
    uv_async_init(loop, &dns->arrived, dns_on_arrived);
    dns->deadline.data = dns->arrived.data = dns;
}

void dns_close(struct dns *dns)
{
    struct dns_pool *pool = dns->pool;
    uv_thread_t idle[DNS_THREADS_MAX];
    int n_idle = 0;

    uv_mutex_lock(&pool->lock);
    pool->is_closed = true;
    for (int i = 0; i < pool->n_threads; i++) {
        if (pool->threads[i].is_busy)
            pthread_detach(pool->threads[i].id);
        else
            idle[n_idle++] = pool->threads[i].id;
    }
    uv_cond_broadcast(&pool->wake);
    dns_pool_leave(pool);
    for (int i = 0; i < n_idle; i++)
        uv_thread_join(&idle[i]);
    dns->pool = NULL;
    uv_timer_stop(&dns->deadline);
    uv_close((uv_handle_t *)&dns->deadline, NULL);
    uv_close((uv_handle_t *)&dns->arrived, NULL);
}

void dns_release(struct dns *dns)
{
    struct dns_name *name, *next;

    HASH_ITER(hh, dns->names, name, next)
    {
        HASH_DEL(dns->names, name);
        mem_free(name);
    }
    dns->asking = NULL;
}
