/*
 * sign.c - signed hellos (decisions/0027). With a gossip-secret each hello goes out
 * twice: in a companion, and then plain for those who know of no companions. The
 * companion has eleven fields, which no one takes for a hello:
 *
 *   <hello>,hmac-sha256,<stamp>,<stands>,<code>
 *
 * <stamp> is the sender's Unix time in ms, made to grow; <stands> the epoch of the
 * election for leader of this master in which the sender stands, 0 if in none; <code>
 * the HMAC of all before its comma. Who checks hellos takes them from companions, and
 * ignores the plain ones of those who sign.
 */
#include "sentinel/core/internal.h"

#define SIGN_TAG "hmac-sha256"
/* Copies come through several servers, in any order; what is older than the newest by
 * more than this was held back, or is played again. */
#define STALE_MS 10000
#define SIGNERS_MAX 256
/* Who has published no companion for so many periods has stopped signing. */
#define VOUCHED_PERIODS 3
/* Of senders that nobody knows one refusal is said in so many ms. */
#define REFUSED_LOG_MS 10000
/* Without a refusal for so long a sender has mended its ways. */
#define MENDED_MS 60000

enum told { TOLD_UNSIGNED = 1, TOLD_BAD_SIGNATURE = 2 };

enum core_gossip_auth core_gossip_auth(const struct core *core)
{
    enum core_gossip_auth auth =
        (enum core_gossip_auth)core_number(core, CORE_OPT_GOSSIP_AUTH);

    if (core->gossip_secret == NULL)
        return GOSSIP_AUTH_OFF;
    return auth == GOSSIP_AUTH_UNSET ? GOSSIP_AUTH_PREFER : auth;
}

const char *gossip_auth_name(enum core_gossip_auth auth)
{
    static const char *const names[] = {
        [GOSSIP_AUTH_UNSET] = "",
        [GOSSIP_AUTH_OFF] = "off",
        [GOSSIP_AUTH_PREFER] = "prefer",
        [GOSSIP_AUTH_REQUIRE] = "require",
    };

    return names[auth];
}

enum core_gossip_auth gossip_auth_named(const char *word)
{
    int auth = GOSSIP_AUTH_REQUIRE;

    while (auth > GOSSIP_AUTH_UNSET &&
           strcasecmp(word, gossip_auth_name((enum core_gossip_auth)auth)) != 0)
        auth--;
    return (enum core_gossip_auth)auth;
}

/* ---------------------------------------------------------------- companions ----- */

/* Cuts the last field off: |*len| ends before its comma then. NULL if there is none. */
static const char *sign_last_field(const char *text, size_t *len, size_t *field_len)
{
    size_t at = *len;

    while (at > 0 && text[at - 1] != ',')
        at--;
    if (at == 0)
        return NULL;
    *field_len = *len - at;
    *len = at - 1;
    return text + at;
}

bool sign_split(struct companion *companion, const char *text, size_t len)
{
    size_t left = len, field_len = 0;
    uint64_t stamp = 0;

    companion->code = sign_last_field(text, &left, &field_len);
    companion->signed_len = left;
    if (companion->code == NULL || field_len != SIGN_CODE_LEN)
        return false;
    const char *field = sign_last_field(text, &left, &field_len);
    if (field == NULL ||
        !hello_parse_number(&companion->stands_epoch, field, field_len))
        return false;
    field = sign_last_field(text, &left, &field_len);
    if (field == NULL || !hello_parse_number(&stamp, field, field_len))
        return false;
    companion->stamp = (int64_t)stamp;
    field = sign_last_field(text, &left, &field_len);
    companion->hello_len = left;
    return field != NULL && field_len == strlen(SIGN_TAG) &&
           memcmp(field, SIGN_TAG, field_len) == 0;
}

static void sign_code(const struct core *core, const char *secret, const char *text,
                      size_t len, char code[SIGN_CODE_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char mac[CORE_MAC_LEN];

    core->mac(mac, secret, strlen(secret), text, len);
    for (size_t i = 0; i < CORE_MAC_LEN; i++) {
        code[2 * i] = hex[mac[i] >> 4];
        code[2 * i + 1] = hex[mac[i] & 15];
    }
    code[SIGN_CODE_LEN] = '\0';
}

void sign_append(struct core *core, const struct master *master, char *text, size_t cap)
{
    const struct failover *fo = &master->failover;
    bool stands = fo->state == FO_ELECT && fo->asked;
    char code[SIGN_CODE_LEN + 1];
    size_t len = strlen(text);

    core->stamp = max_i64(core->stamp + 1, core->wall);
    ASSERT_CMP(len + SIGN_EXTRA_CAP, <=, cap);
    len += (size_t)snprintf(text + len, cap - len, ",%s,%" PRId64 ",%" PRIu64, SIGN_TAG,
                            core->stamp, stands ? fo->epoch : 0);
    sign_code(core, core->gossip_secret, text, len, code);
    snprintf(text + len, cap - len, ",%s", code);
}

/* In the same time wherever it differs. */
static bool sign_code_is(const struct core *core, const char *secret,
                         const struct companion *companion, const char *text)
{
    char code[SIGN_CODE_LEN + 1];
    unsigned char difference = 0;

    if (secret == NULL)
        return false;
    sign_code(core, secret, text, companion->signed_len, code);
    for (size_t i = 0; i < SIGN_CODE_LEN; i++)
        difference |= (unsigned char)(code[i] ^ companion->code[i]);
    return difference == 0;
}

bool sign_is_good(const struct core *core, const struct companion *companion,
                  const char *text)
{
    return sign_code_is(core, core->gossip_secret, companion, text) ||
           sign_code_is(core, core->gossip_secret_also, companion, text);
}

/* ------------------------------------------------------------------- signers ----- */

static struct signer *signer_find(const struct core *core, const char *run_id)
{
    struct signer *signer;

    HASH_FIND_STR(core->signers, run_id, signer);
    return signer;
}

bool core_is_signer(const struct core *core, const char *run_id)
{
    return signer_find(core, run_id) != NULL;
}

static void signer_free(struct core *core, struct signer *signer)
{
    HASH_DEL(core->signers, signer);
    mem_free(signer);
}

/* The one that was silent for longest makes room: members of the group that are gone,
 * as nobody else can sign. */
static struct signer *signer_add(struct core *core, const char *run_id)
{
    struct signer *signer, *oldest = core->signers;

    if (HASH_COUNT(core->signers) >= SIGNERS_MAX) {
        for (signer = core->signers; signer != NULL; signer = signer->hh.next)
            if (signer->heard_at < oldest->heard_at)
                oldest = signer;
        signer_free(core, oldest);
    }
    signer = mem_zalloc(sizeof(*signer));
    memcpy(signer->run_id, run_id, RUN_ID_CAP);
    HASH_ADD_STR(core->signers, run_id, signer);
    return signer;
}

void sign_add_signer(struct core *core, const char *run_id)
{
    if (signer_find(core, run_id) == NULL)
        signer_add(core, run_id)->heard_at = core->now;
}

void sign_forget(struct core *core, const char *run_id)
{
    struct signer *signer = signer_find(core, run_id);

    if (signer != NULL)
        signer_free(core, signer);
}

void sign_on_reached(struct core *core, const char *run_id)
{
    struct signer *signer = signer_find(core, run_id);

    if (signer != NULL)
        signer->stamp = 0;
}

void sign_release(struct core *core)
{
    while (core->signers != NULL)
        signer_free(core, core->signers);
}

/* ------------------------------------------------------------------ refusals ----- */

/* What was said about a sender that is no peer; NULL: no more of these for now. */
static struct refusal_told *refused_sender(struct core *core, const char *run_id)
{
    for (uint32_t i = 0; i < REFUSED_SENDERS; i++)
        if (strcmp(core->refused_senders[i].run_id, run_id) == 0)
            return &core->refused_senders[i].told;
    if (core->refused_sender_at != CORE_NEVER &&
        core->now - core->refused_sender_at < REFUSED_LOG_MS)
        return NULL;
    core->refused_sender_at = core->now;
    struct refused_sender *sender =
        &core->refused_senders[core->n_refused_senders++ % REFUSED_SENDERS];
    memcpy(sender->run_id, run_id, RUN_ID_CAP);
    sender->told = (struct refusal_told){0};
    return &sender->told;
}

/* Once per sender and reason, until it is mended. That its plain hellos are refused,
 * too, goes without saying when its signature is bad. */
static void sign_refuse(struct core *core, struct master *master, const char *run_id,
                        const char *place, enum told why)
{
    struct peer *peer = peer_find(core, run_id);
    bool is_bad = why == TOLD_BAD_SIGNATURE;

    core->n_bad_signatures += is_bad ? 1 : 0;
    core->n_unsigned += is_bad ? 0 : 1;
    if (peer != NULL)
        peer->n_refused_hellos++;
    struct refusal_told *told =
        peer != NULL ? &peer->hellos_told : refused_sender(core, run_id);
    if (told == NULL)
        return;
    told->at = core->now;
    if (told->why >= why)
        return;
    told->why = (uint8_t)why;
    emit_plain(core, LOG_LVL_WARNING,
               is_bad ? "-hello-bad-signature" : "-hello-unsigned", master, "%s %s %s",
               run_id, place, master->name);
}

/* A good hello: true if others of that sender were refused, and that is over. Somebody
 * who goes on lying in its name is not worth an event each time. */
static bool sign_is_mended(struct core *core, const char *run_id)
{
    struct peer *peer = peer_find(core, run_id);
    struct refusal_told *told = peer != NULL ? &peer->hellos_told : NULL;

    for (uint32_t i = 0; i < REFUSED_SENDERS && told == NULL; i++)
        if (strcmp(core->refused_senders[i].run_id, run_id) == 0)
            told = &core->refused_senders[i].told;
    if (told == NULL || told->why == 0 || core->now - told->at < MENDED_MS)
        return false;
    told->why = 0;
    return true;
}

/* ------------------------------------------------------------------ checking ----- */

static bool sign_answers(const struct core *core, const char *run_id)
{
    const struct peer *peer = peer_find(core, run_id);

    return peer != NULL && peer_answers(core, peer);
}

bool sign_accepts(struct core *core, struct master *master,
                  const struct companion *companion, const char *text,
                  const char *run_id, const char *place)
{
    struct signer *signer = signer_find(core, run_id);

    if (!sign_is_good(core, companion, text)) {
        sign_refuse(core, master, run_id, place, TOLD_BAD_SIGNATURE);
        return false;
    }
    /* One that does not answer may have moved, with a clock that went back meanwhile;
     * and who lives has said something newer since than what is played again. */
    if (signer != NULL && companion->stamp < signer->stamp - STALE_MS) {
        if (sign_answers(core, run_id) && core->now - signer->heard_at <= STALE_MS) {
            core->n_stale++;
            return false;
        }
        signer->stamp = companion->stamp;
    }
    bool is_new = signer == NULL;
    if (is_new) {
        signer = signer_add(core, run_id);
        durable_touch(core, NULL);
    }
    if (is_new || companion->stamp >= signer->stamp) {
        signer->stamp = companion->stamp;
        signer->heard_at = core->now;
    }
    if (sign_is_mended(core, run_id) || is_new)
        emit_plain(core, LOG_LVL_NOTICE, "+hello-signed", master, "%s %s %s", run_id,
                   place, master->name);
    return true;
}

/* Who makes two texts alike gains nothing: plain ones are ignored either way. */
static bool vouched_has(const struct vouched *vouched, unsigned digest)
{
    for (int i = 0; i < VOUCHED_N; i++)
        if (vouched->digest[i] == digest)
            return true;
    return false;
}

static struct voter *sign_voter(const struct master *master, const char *run_id)
{
    struct voter *voter = voter_find(master, run_id);

    return voter != NULL ? voter : voter_find_stranger(master, run_id);
}

void sign_note(const struct core *core, struct master *master, const char *run_id,
               const struct companion *companion, const char *text)
{
    struct voter *voter = sign_voter(master, run_id);
    unsigned digest = hash_bytes(text, companion->hello_len);

    if (voter == NULL)
        return;
    voter->stands_epoch = companion->stands_epoch;
    voter->vouched.at = core->now;
    if (!vouched_has(&voter->vouched, digest))
        voter->vouched.digest[voter->vouched.next++ % VOUCHED_N] = digest;
}

bool sign_accepts_plain(struct core *core, struct master *master, const char *text,
                        size_t len, const char *run_id, const char *place)
{
    enum core_gossip_auth auth = core_gossip_auth(core);
    bool is_signer = core_is_signer(core, run_id);

    if (auth == GOSSIP_AUTH_OFF || (auth == GOSSIP_AUTH_PREFER && !is_signer))
        return true;
    const struct voter *voter = sign_voter(master, run_id);
    int64_t period = core_number(core, CORE_OPT_PUBLISH_PERIOD);
    if (voter != NULL && core->now - voter->vouched.at <= VOUCHED_PERIODS * period &&
        vouched_has(&voter->vouched, hash_bytes(text, len)))
        return false;
    if (is_signer && voter == NULL)
        core->n_unsigned++; /* what it signed was not believed either */
    else
        sign_refuse(core, master, run_id, place, TOLD_UNSIGNED);
    return false;
}

bool sign_may_stand(const struct core *core, const struct master *master,
                    const char *candidate, uint64_t epoch)
{
    enum core_gossip_auth auth = core_gossip_auth(core);

    if (auth == GOSSIP_AUTH_OFF || strcmp(candidate, core->myid) == 0 ||
        (auth == GOSSIP_AUTH_PREFER && !core_is_signer(core, candidate)))
        return true;
    const struct voter *voter = voter_find(master, candidate);
    return voter != NULL && voter->stands_epoch == epoch;
}

/* ------------------------------------------------------------------ settings ----- */

int sign_check_secret(const struct core *core, const struct core_setting *setting,
                      struct error *err)
{
    bool is_first = setting->option == CORE_OPT_GOSSIP_SECRET;
    const char *name = is_first ? "gossip-secret" : "gossip-secret-also";

    if (!is_first && setting->option != CORE_OPT_GOSSIP_SECRET_ALSO)
        return 0;
    size_t len = setting->text != NULL ? strlen(setting->text) : 0;
    if (len == 0)
        return 0;
    if (core->mac == NULL)
        return error_set(err, ERR_STATE, "%s: this program cannot sign", name);
    if (len < GOSSIP_SECRET_MIN || len > GOSSIP_SECRET_MAX)
        return error_set(err, ERR_RANGE, "%s must have %d to %d bytes, it has %zu",
                         name, GOSSIP_SECRET_MIN, GOSSIP_SECRET_MAX, len);
    return 0;
}

int sign_check_settings(const struct core *core, const struct core_setting *settings,
                        size_t n, struct error *err)
{
    int64_t auth = core_number(core, CORE_OPT_GOSSIP_AUTH);
    bool has_secret = core->gossip_secret != NULL;
    int status = 0;

    for (size_t i = 0; i < n && status == 0; i++) {
        const struct core_setting *s = &settings[i];
        if (s->option == CORE_OPT_GOSSIP_AUTH)
            auth = s->number;
        if (s->option == CORE_OPT_GOSSIP_SECRET)
            has_secret = s->text != NULL && s->text[0] != '\0';
        status = sign_check_secret(core, s, err);
    }
    if (status == 0 && auth == GOSSIP_AUTH_REQUIRE && !has_secret)
        status = error_set(err, ERR_STATE, "gossip-auth require needs a gossip-secret");
    return status;
}

/* Who signed while that meant something need not have the present secret. */
void sign_on_settings(struct core *core)
{
    if (core->started && core_gossip_auth(core) == GOSSIP_AUTH_OFF)
        sign_release(core);
}
