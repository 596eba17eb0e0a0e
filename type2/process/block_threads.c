/* SPDX-License-Identifier: MIT */
/*
 * block_threads.c - a few threads that carry out requests by waiting for them.  They are started
 * when there is more to do than there are idle ones.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "type2/process/block.h"

#define WORKERS_MAX 4

/* Locks: (l) lock, the others belong to the loop thread. */
struct block_threads {
	struct os_block *block;
	struct block_queue waiting; /* submitted, not kicked */
	struct os_event *event;     /* results has become non-empty */
	struct os_thread *workers[WORKERS_MAX];
	unsigned worker_count;
	unsigned under_way; /* handed over and not collected */
	pthread_mutex_t lock;
	pthread_cond_t work_came;   /* todo, ending */
	pthread_cond_t result_came; /* results */
	struct block_queue todo;    /* (l) */
	struct block_queue results; /* (l) */
	unsigned todo_count;        /* (l) */
	unsigned idle;              /* (l) workers that wait for work */
	bool ending;                /* (l) */
};

static void threads_work(void *arg)
{
	struct block_threads *threads = arg;
	struct os_block_request *request;

	pthread_mutex_lock(&threads->lock);
	for (;;) {
		int result;

		while (!threads->todo.first && !threads->ending) {
			threads->idle++;
			pthread_cond_wait(&threads->work_came, &threads->lock);
			threads->idle--;
		}
		request = block_queue_pop(&threads->todo);
		if (!request)
			break;
		threads->todo_count--;
		pthread_mutex_unlock(&threads->lock);
		result = block_transfer(&threads->block->file, request);
		pthread_mutex_lock(&threads->lock);
		block_job(request)->result = result;
		if (!threads->results.first) {
			os_event_signal(threads->event);
			pthread_cond_signal(&threads->result_came);
		}
		block_queue_push(&threads->results, request);
	}
	pthread_mutex_unlock(&threads->lock);
}

/* Moves what has ended to the block; wait: until there is something. */
static void threads_collect(struct block_threads *threads, bool wait)
{
	struct block_queue results;
	struct os_block_request *request;

	pthread_mutex_lock(&threads->lock);
	while (wait && !threads->results.first)
		pthread_cond_wait(&threads->result_came, &threads->lock);
	results = threads->results;
	threads->results = (struct block_queue){0};
	pthread_mutex_unlock(&threads->lock);
	while ((request = block_queue_pop(&results))) {
		threads->under_way--;
		block_finish(threads->block, request, block_job(request)->result);
	}
}

static void threads_fired(void *arg)
{
	struct block_threads *threads = arg;

	os_block_kick(threads->block);
}

static void threads_start_workers(struct block_threads *threads)
{
	unsigned missing;

	pthread_mutex_lock(&threads->lock);
	missing = threads->todo_count > threads->idle ? threads->todo_count - threads->idle : 0;
	pthread_mutex_unlock(&threads->lock);
	while (missing-- && threads->worker_count < WORKERS_MAX) {
		if (os_thread_start(&threads->workers[threads->worker_count], "block", threads_work,
				    threads))
			break;
		threads->worker_count++;
	}
}

/* No thread can be had: they are carried out here. */
static void threads_work_here(struct block_threads *threads)
{
	struct os_block_request *request;

	while ((request = block_queue_pop(&threads->waiting)))
		block_finish(threads->block, request,
			     block_transfer(&threads->block->file, request));
}

static void threads_hand_over(struct block_threads *threads)
{
	struct os_block_request *request;

	pthread_mutex_lock(&threads->lock);
	while ((request = block_queue_pop(&threads->waiting))) {
		block_queue_push(&threads->todo, request);
		threads->todo_count++;
		threads->under_way++;
		if (threads->idle)
			pthread_cond_signal(&threads->work_came);
	}
	pthread_mutex_unlock(&threads->lock);
}

void block_threads_kick(struct block_threads *threads)
{
	if (threads->waiting.first && !threads->worker_count &&
	    os_thread_start(&threads->workers[0], "block", threads_work, threads) == 0)
		threads->worker_count = 1;
	if (!threads->worker_count) {
		threads_work_here(threads);
	} else if (threads->waiting.first) {
		threads_hand_over(threads);
		threads_start_workers(threads);
	}
	if (threads->under_way)
		threads_collect(threads, false);
}

bool block_threads_wait(struct block_threads *threads)
{
	if (!threads->under_way)
		return false;
	threads_collect(threads, true);
	return true;
}

void block_threads_submit(struct block_threads *threads, struct os_block_request *request)
{
	block_queue_push(&threads->waiting, request);
}

int block_threads_create(struct os_block *block, struct block_threads **out)
{
	struct block_threads *threads = calloc(1, sizeof(*threads));
	int error;

	if (!threads)
		return -ENOMEM;
	threads->block = block;
	pthread_mutex_init(&threads->lock, NULL);
	pthread_cond_init(&threads->work_came, NULL);
	pthread_cond_init(&threads->result_came, NULL);
	error = os_event_create(&threads->event);
	if (error)
		goto free_threads;
	error = os_loop_watch(block->loop, threads->event, threads_fired, threads);
	if (error)
		goto destroy_event;
	*out = threads;
	return 0;
destroy_event:
	os_event_destroy(threads->event);
free_threads:
	free(threads);
	return error;
}

void block_threads_destroy(struct block_threads *threads)
{
	if (!threads)
		return;
	pthread_mutex_lock(&threads->lock);
	threads->ending = true;
	pthread_cond_broadcast(&threads->work_came);
	pthread_mutex_unlock(&threads->lock);
	for (unsigned i = 0; i < threads->worker_count; i++)
		os_thread_join(threads->workers[i]);
	os_event_destroy(threads->event);
	pthread_mutex_destroy(&threads->lock);
	pthread_cond_destroy(&threads->work_came);
	pthread_cond_destroy(&threads->result_came);
	free(threads);
}
