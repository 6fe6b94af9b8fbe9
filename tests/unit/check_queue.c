/*
 * check_queue.c - queued events outlive what they were made from.
 */
#include "common/mem.h"
#include "sentinel/runtime/queue.h"
#include "tests/lib/runner.h"

#include <string.h>

static struct queue queue;

/* A copy that is gone after the push, so that a borrowed pointer shows. */
static char *brief(const char *text)
{
    return mem_strdup(text);
}

static void spoil(char *text)
{
    memset(text, '#', strlen(text));
    mem_free(text);
}

START_TEST(order_is_kept)
{
    for (uint32_t i = 1; i <= 5; i++) {
        struct core_event event = {.type = CORE_EV_PERSISTED,
                                   .persisted = {.version = i, .ok = true}};
        queue_push(&queue, &event, LINK_SUB, i);
    }
    for (uint32_t i = 1; i <= 5; i++) {
        struct queued *queued = queue_pop(&queue);
        ck_assert_uint_eq(queued->event.persisted.version, i);
        ck_assert_uint_eq(queued->dial, i);
        ck_assert_int_eq(queued->chan, LINK_SUB);
        queue_free(queued);
    }
    ck_assert_ptr_null(queue_pop(&queue));
}
END_TEST

START_TEST(replies_are_copied_in_depth)
{
    char *text = brief("deep");
    struct resp_value leaf = {.type = RESP_BULK, .str = text, .len = 4};
    struct resp_value inner = {.type = RESP_ARRAY, .items = &leaf, .n_items = 1};
    struct resp_value outer = {.type = RESP_ARRAY, .items = &inner, .n_items = 1};
    struct core_event event = {.type = CORE_EV_REPLY,
                               .reply = {.tag = 7, .index = 2, .value = &outer}};
    queue_push(&queue, &event, LINK_CMD, 1);
    spoil(text);
    memset(&leaf, 0xff, sizeof leaf);
    memset(&inner, 0xff, sizeof inner);

    struct queued *queued = queue_pop(&queue);
    ck_assert_uint_eq(queued->event.reply.tag, 7);
    const struct resp_value *value = queued->event.reply.value;
    ck_assert_str_eq(value->items[0].items[0].str, "deep");
    queue_free(queued);
}
END_TEST

START_TEST(requests_are_copied)
{
    char *name = brief("mymaster");
    char *text = brief("5");
    char *word = brief("quorum");
    struct core_setting setting = {
        .option = CORE_OPT_QUORUM, .number = 5, .text = text, .word = word};
    struct core_request request = {.type = CORE_RQ_SET,
                                   .client = 9,
                                   .name = name,
                                   .settings = &setting,
                                   .n_settings = 1};
    struct core_event event = {.type = CORE_EV_REQUEST, .request = &request};
    queue_push(&queue, &event, LINK_CMD, 0);
    spoil(name);
    spoil(text);
    spoil(word);
    memset(&setting, 0xff, sizeof setting);
    memset(&request, 0xff, sizeof request);

    struct queued *queued = queue_pop(&queue);
    const struct core_request *copy = queued->event.request;
    ck_assert_uint_eq(copy->client, 9);
    ck_assert_str_eq(copy->name, "mymaster");
    ck_assert_ptr_null(copy->host);
    ck_assert_str_eq(copy->settings[0].text, "5");
    ck_assert_str_eq(copy->settings[0].word, "quorum");
    ck_assert_ptr_null(copy->settings[0].text2);
    queue_free(queued);
}
END_TEST

START_TEST(counted_texts_may_hold_anything)
{
    struct core_request request = {
        .type = CORE_RQ_HELLO, .text = "a\0b", .text_len = 3};
    struct core_event event = {.type = CORE_EV_REQUEST, .request = &request};
    queue_push(&queue, &event, LINK_CMD, 0);
    event = (struct core_event){.type = CORE_EV_MESSAGE,
                                .message = {.channel = "c", .text = "x\0y", .len = 3}};
    queue_push(&queue, &event, LINK_SUB, 1);

    struct queued *queued = queue_pop(&queue);
    ck_assert_mem_eq(queued->event.request->text, "a\0b", 4);
    queue_free(queued);
    queued = queue_pop(&queue);
    ck_assert_mem_eq(queued->event.message.text, "x\0y", 4);
    queue_free(queued);
}
END_TEST

START_TEST(release_frees_what_waits)
{
    struct core_event event = {.type = CORE_EV_RESOLVED,
                               .resolved = {.host = "h", .ip = NULL}};
    queue_push(&queue, &event, LINK_CMD, 0);
    queue_push(&queue, &event, LINK_CMD, 0);
    queue_release(&queue);
    ck_assert_ptr_null(queue_pop(&queue));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *tc = tcase_create("queue");
    tcase_add_test(tc, order_is_kept);
    tcase_add_test(tc, replies_are_copied_in_depth);
    tcase_add_test(tc, requests_are_copied);
    tcase_add_test(tc, counted_texts_may_hold_anything);
    tcase_add_test(tc, release_frees_what_waits);
    suite_add_tcase(suite, tc);
    return suite;
}
