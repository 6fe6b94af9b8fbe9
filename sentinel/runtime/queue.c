/*
 * queue.c - events that wait for the core.
 */
#include "sentinel/runtime/queue.h"

#include "common/mem.h"

#include <string.h>

static const char *queue_text(struct arena *arena, const char *text)
{
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

static void queue_copy_value(struct arena *arena, struct resp_value *to,
                             const struct resp_value *from)
{
    *to = *from;
    if (from->str != NULL)
        to->str = arena_strndup(arena, from->str, from->len);
    if (from->n_items == 0) {
        to->items = NULL;
        return;
    }
    struct resp_value *items = arena_alloc(arena, from->n_items * sizeof *items);
    for (size_t i = 0; i < from->n_items; i++)
        queue_copy_value(arena, &items[i], &from->items[i]);
    to->items = items;
}

static const struct core_setting *
queue_copy_settings(struct arena *arena, const struct core_request *request)
{
    if (request->n_settings == 0)
        return NULL;
    struct core_setting *settings =
        arena_alloc(arena, request->n_settings * sizeof *settings);
    for (size_t i = 0; i < request->n_settings; i++) {
        settings[i] = request->settings[i];
        settings[i].text = queue_text(arena, request->settings[i].text);
        settings[i].text2 = queue_text(arena, request->settings[i].text2);
        settings[i].word = queue_text(arena, request->settings[i].word);
    }
    return settings;
}

static const struct core_request *queue_copy_request(struct arena *arena,
                                                     const struct core_request *from)
{
    struct core_request *to = arena_alloc(arena, sizeof *to);
    *to = *from;
    to->name = queue_text(arena, from->name);
    to->host = queue_text(arena, from->host);
    /* A hello is counted, not terminated; other texts leave the length 0. */
    if (from->text != NULL && from->text_len > 0)
        to->text = arena_strndup(arena, from->text, from->text_len);
    else
        to->text = queue_text(arena, from->text);
    to->settings = queue_copy_settings(arena, from);
    return to;
}

static void queue_copy_event(struct arena *arena, struct core_event *event)
{
    switch (event->type) {
    case CORE_EV_LINK_UP:
        event->up.local_ip = queue_text(arena, event->up.local_ip);
        break;
    case CORE_EV_LINK_DOWN:
        event->down.reason = queue_text(arena, event->down.reason);
        break;
    case CORE_EV_REPLY: {
        struct resp_value *value = arena_alloc(arena, sizeof *value);
        queue_copy_value(arena, value, event->reply.value);
        event->reply.value = value;
        break;
    }
    case CORE_EV_MESSAGE:
        event->message.channel = queue_text(arena, event->message.channel);
        event->message.text =
            arena_strndup(arena, event->message.text, event->message.len);
        break;
    case CORE_EV_RESOLVED:
        event->resolved.host = queue_text(arena, event->resolved.host);
        event->resolved.ip = queue_text(arena, event->resolved.ip);
        break;
    case CORE_EV_REQUEST:
        event->request = queue_copy_request(arena, event->request);
        break;
    case CORE_EV_PERSISTED:
        event->persisted.reason = queue_text(arena, event->persisted.reason);
        break;
    case CORE_EV_DEADLINE:
    case CORE_EV_JOB_STARTED:
    case CORE_EV_JOB_EXIT:
        break;
    }
}

void queue_push(struct queue *queue, const struct core_event *event,
                enum link_chan chan, uint64_t dial)
{
    struct queued *queued = mem_zalloc(sizeof *queued);
    queued->event = *event;
    queued->chan = chan;
    queued->dial = dial;
    queue_copy_event(&queued->arena, &queued->event);

    if (queue->first == NULL)
        queue->first = queued;
    else
        queue->last->next = queued;
    queue->last = queued;
}

struct queued *queue_pop(struct queue *queue)
{
    struct queued *queued = queue->first;
    if (queued == NULL)
        return NULL;
    queue->first = queued->next;
    if (queue->first == NULL)
        queue->last = NULL;
    queued->next = NULL;
    return queued;
}

void queue_free(struct queued *queued)
{
    arena_release(&queued->arena);
    mem_free(queued);
}

void queue_release(struct queue *queue)
{
    struct queued *queued;
    while ((queued = queue_pop(queue)) != NULL)
        queue_free(queued);
}
